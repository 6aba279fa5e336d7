// A page on kurento-utils with the calls and messages of the one2many-call tutorial's script; its buttons are functions here.
import { WebRtcPeer } from 'kurento-utils';

const heard = [];
let ws;
let webRtcPeer;

const tile = (identity = 'presenter') => {
  const box = document.createElement('div');
  Object.assign(box.dataset, { testid: 'tile', identity, source: 'camera' });
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, playsInline: true, muted: true });
  box.append(video);
  document.body.append(box);
  return video;
};

const sendMessage = (message) => ws.send(JSON.stringify(message));

const dispose = () => {
  webRtcPeer?.dispose();
  webRtcPeer = undefined;
};

const answered = (message) => {
  if (message.response !== 'accepted') dispose();
  else webRtcPeer.processAnswer(message.sdpAnswer);
};

// With `dataChannels` in the options kurento-utils makes one channel, named after its peer.
const dataChannelConfig = {
  onopen: () => heard.push({ id: 'data open' }),
  onmessage: ({ data }) => heard.push({ id: 'data', data }),
};

const call = (mode, options, id, more = {}) =>
  new Promise((done, failed) => {
    const configured = { ...options, dataChannelConfig, configuration: { iceServers: [] }, onicecandidate: (candidate) => sendMessage({ id: 'onIceCandidate', candidate }) };
    webRtcPeer = WebRtcPeer[mode](configured, function made(error) {
      if (error) return failed(error);
      return this.generateOffer((wrong, sdpOffer) => {
        if (wrong) return failed(wrong);
        sendMessage({ id, sdpOffer, ...more });
        return done();
      });
    });
  });

// What the listening helper asks for a participant's sound.
const room = { remoteParticipants: new Map() };
window.__madang = { room };

window.page = {
  heard,
  open: (url) =>
    new Promise((done, failed) => {
      ws = new WebSocket(url);
      ws.onopen = () => done();
      ws.onerror = () => failed(new Error(`${url} does not open`));
      ws.onclose = () => heard.push({ id: 'closed', t: window.__e2e.now() });
      ws.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        heard.push({ ...message, t: window.__e2e.now() });
        if (['presenterResponse', 'viewerResponse', 'startResponse'].includes(message.id)) answered(message);
        if (message.id === 'stopCommunication') dispose();
        if (message.id === 'iceCandidate') webRtcPeer?.addIceCandidate(message.candidate);
      };
    }),
  presenter: (options = {}, more) => call('WebRtcPeerSendonly', { localVideo: tile(), ...options }, 'presenter', more),
  viewer: (options = {}, more) => call('WebRtcPeerRecvonly', { remoteVideo: tile(), ...options }, 'viewer', more),
  // Both ways at once: the page sees itself by way of the server.
  start: (options = {}) => call('WebRtcPeerSendrecv', { localVideo: tile(), remoteVideo: tile('self'), ...options }, 'start'),
  stop: () => {
    sendMessage({ id: 'stop' });
    dispose();
  },
  say: (text) => ws.send(text),
  ice: () => webRtcPeer?.peerConnection.iceConnectionState,
  sendData: (text) => webRtcPeer.send(text),
  listen: () => {
    const [track] = webRtcPeer.getRemoteStream().getAudioTracks();
    room.remoteParticipants.set('presenter', { audioTrackPublications: new Map([['audio', { track: { mediaStreamTrack: track } }]]) });
  },
  shown: () => [...document.querySelectorAll('video')].map(({ videoWidth, videoHeight }) => `${videoWidth}x${videoHeight}`),
  disconnect: () => {
    dispose();
    ws.close();
  },
};
