// A page among the peers of the Socket.IO signalling server, on socket.io-client 4: newcomers offer to each who is there, candidates trickle, and a
// data channel with the number 0 is known to both sides, as the server's example clients have it.
import { io } from 'socket.io-client';

const peers = new Map();
const heard = [];
let socket;
let ownId;
let stream;

const tile = (identity, srcObject) => {
  const box = document.createElement('div');
  Object.assign(box.dataset, { testid: 'tile', identity, source: 'camera' });
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, playsInline: true, muted: true, srcObject });
  box.append(video);
  document.body.append(box);
};

const sendTo = (target, payload) => socket.emit('messageOne', { from: ownId, target, payload });

const describe = async (id, description) => {
  const { pc } = peers.get(id);
  await pc.setLocalDescription(description);
  sendTo(id, { action: 'sdp', sdp: pc.localDescription });
};

const addPeer = (id, polite) => {
  if (peers.has(id)) return;
  const pc = new RTCPeerConnection({ iceServers: [] });
  const channel = pc.createDataChannel(`${id}Channel`, { negotiated: true, id: 0 });
  peers.set(id, { pc, channel, polite, making: false });
  channel.onmessage = ({ data }) => heard.push({ from: id, data });
  channel.onopen = () => channel.send(`Hello from ${ownId}`);
  pc.ontrack = ({ track }) => {
    if (track.kind === 'video') tile(id, new MediaStream([track]));
  };
  for (const track of stream?.getTracks() ?? []) pc.addTrack(track, stream);
  pc.onicecandidate = ({ candidate }) => sendTo(id, { action: 'ice', ice: candidate });
  pc.onnegotiationneeded = async () => {
    // Only who is not polite offers.
    if (polite) return;
    const peer = peers.get(id);
    peer.making = true;
    await describe(id, await pc.createOffer());
    peer.making = false;
  };
};

const handlers = {
  open: (from, { connections, bePolite }) => connections.forEach(({ peerId }) => addPeer(peerId, bePolite)),
  close: (from) => {
    peers.get(from)?.pc.close();
    peers.delete(from);
    document.querySelectorAll(`[data-identity="${from}"]`).forEach((box) => box.remove());
  },
  sdp: async (from, { sdp }) => {
    const { pc, polite, making } = peers.get(from);
    const collides = sdp.type === 'offer' && (making || pc.signalingState !== 'stable');
    if (collides && !polite) return;
    await pc.setRemoteDescription(sdp);
    if (sdp.type === 'offer') await describe(from, await pc.createAnswer());
  },
  ice: async (from, { ice }) => {
    if (ice) await peers.get(from).pc.addIceCandidate(ice);
  },
};

window.__madang = { room: { remoteParticipants: new Map() } };
window.page = {
  heard,
  peers: () => [...peers].map(([id, { pc, channel }]) => ({ id, connection: pc.connectionState, channel: channel.readyState })),
  connect: async ({ url, token, peerId, camera }) => {
    ownId = peerId;
    if (camera) stream = await navigator.mediaDevices.getUserMedia({ video: true });
    socket = io(url, { auth: { token }, autoConnect: false, reconnection: false });
    socket.on('connect', () => socket.emit('ready', peerId, 'admin'));
    socket.on('message', ({ from, payload }) => handlers[payload.action](from, payload)?.catch?.((error) => console.error(`${payload.action}: ${error}`)));
    socket.connect();
  },
  say: (id, text) => peers.get(id).channel.send(text),
  sayBytes: (id, bytes) => peers.get(id).channel.send(new Uint8Array(bytes)),
  leave: () => {
    socket.disconnect();
    for (const { pc } of peers.values()) pc.close();
    peers.clear();
  },
};
