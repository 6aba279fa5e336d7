// A page with the calls and messages of the counselling page's script: the same old browser interfaces, the same order of words.
// ?role=expert|member, as the page knew it from its login.
const parameters = new URL(location.href).searchParams;
const isExpert = parameters.get('role') === 'expert';
const heard = [];
const tile = (identity) => {
  const box = document.createElement('div');
  Object.assign(box.dataset, { testid: 'tile', identity, source: 'camera' });
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, playsInline: true, muted: true });
  box.append(video);
  document.body.append(box);
  return video;
};
const video1 = tile('own');
const video2 = tile('other');
const configuration = { iceServers: [{ urls: 'stun:127.0.0.1:9' }, { url: 'turn:127.0.0.1:9', credential: 'unused', username: 'unused' }] };

let flag = true;
let conn;
let pc;
let localStream;
let remoteStream;
let edit = '';

const sendMessage = (message) => conn.send(JSON.stringify(message));
const word = (type, nick, msg, id) => ({ type, nick, msg, id });

const handleIceCandidate = ({ candidate }) => {
  if (candidate) sendMessage({ type: 'candidate', label: candidate.sdpMLineIndex, id: candidate.sdpMid, candidate: candidate.candidate });
};
const handleRemoteStreamAdded = (event) => {
  remoteStream = event.stream;
  if (!isExpert) video2.srcObject = remoteStream;
};
const setLocalAndSendMessage = (description) => {
  pc.setLocalDescription(description);
  sendMessage(description);
};
const start = () => {
  if (!flag || typeof localStream === 'undefined') return;
  pc = new RTCPeerConnection(configuration);
  pc.onicecandidate = handleIceCandidate;
  pc.onaddstream = handleRemoteStreamAdded;
  pc.addStream(localStream);
  flag = false;
  pc.createOffer(setLocalAndSendMessage, (error) => heard.push({ type: 'page error', msg: String(error) }));
};

const handlers = {
  expert: start,
  SYS: start,
  offer: (content) => {
    start();
    pc.setRemoteDescription(new RTCSessionDescription(content));
    pc.createAnswer().then(setLocalAndSendMessage, (error) => heard.push({ type: 'page error', msg: String(error) }));
  },
  answer: (content) => pc.setRemoteDescription(new RTCSessionDescription(content)),
  candidate: ({ label, candidate }) => pc.addIceCandidate(new RTCIceCandidate({ sdpMLineIndex: label, candidate })),
  TXT: ({ msg }) => {
    edit = msg;
  },
  CAM: ({ msg }) => {
    video2.srcObject = msg === 'off' ? null : remoteStream;
  },
};

window.page = {
  heard,
  edit: () => edit,
  open: (url) =>
    new Promise((done, failed) => {
      conn = new WebSocket(url);
      conn.onerror = () => failed(new Error(`${url} does not open`));
      conn.onmessage = ({ data }) => {
        const content = JSON.parse(data);
        heard.push(content);
        handlers[content.type]?.(content);
      };
      conn.onopen = () => {
        if (!isExpert) sendMessage(word('SYS', parameters.get('nick'), '접속', parameters.get('id')));
        done();
      };
    }),
  videoStart: () =>
    new Promise((done, failed) => {
      navigator.getUserMedia({ video: { width: { exact: 480 }, height: { exact: 270 } }, audio: true }, (stream) => {
        localStream = stream;
        video1.srcObject = localStream;
        sendMessage({ type: 'expert' });
        start();
        done();
      }, failed);
    }),
  send: (type, nick, msg, id) => sendMessage(word(type, nick, msg, id)),
  picture: (bytes) => conn.send(new Uint8Array(bytes)),
  isBlank: () => video2.srcObject === null,
  state: () => pc?.connectionState,
};
