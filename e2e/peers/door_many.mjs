// A page of the N:M forwarding server without the page: socket.io-client (2.x or 4.x) and wrtc, with the calls and messages of the original's client.
// Driven by one JSON object per line: {id, verb, args} in, {id, ok | error} out.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import wrtc from '@roamhq/wrtc';
import { io as io4 } from 'socket.io-client';
import { mark, paintI420, readLuma, stampI420 } from '../lib/marks.mjs';

const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate, MediaStream, nonstandard } = wrtc;
const io2 = createRequire(import.meta.url)('socket.io-client-2');
const LOG_MAX = 2000;
const push = (log, entry) => {
  log.push(entry);
  if (log.length > LOG_MAX) log.shift();
};

let socket;
let roomID;
let sendPC;
let localStream;
let painting;
const receivePCs = new Map();
const events = [];
const sent = [];
const seen = new Map();
const streams = new Map();

const watch = (track, id) => {
  if (!seen.has(id)) seen.set(id, []);
  const sink = new nonstandard.RTCVideoSink(track);
  sink.onframe = ({ frame }) => push(seen.get(id), { id: readLuma(frame.data, frame.width, frame.width, frame.height), t: Date.now(), w: frame.width });
};

const createReceiverPC = async (id) => {
  const pc = new RTCPeerConnection({ iceServers: [] });
  receivePCs.set(id, pc);
  pc.onicecandidate = ({ candidate }) => candidate && socket.emit('receiverCandidate', { candidate, receiverSocketID: socket.id, senderSocketID: id });
  pc.ontrack = ({ streams: [stream], track }) => {
    if (!streams.has(id)) streams.set(id, []);
    streams.get(id).push({ kind: track.kind, stream: stream?.id });
    if (track.kind === 'video') watch(track, id);
  };
  const sdp = await pc.createOffer({ offerToReceiveAudio: true, offerToReceiveVideo: true });
  await pc.setLocalDescription(sdp);
  socket.emit('receiverOffer', { sdp, receiverSocketID: socket.id, senderSocketID: id, roomID });
};

const listen = () => {
  socket.on('getSenderAnswer', ({ sdp }) => sendPC.setRemoteDescription(new RTCSessionDescription(sdp)));
  socket.on('getSenderCandidate', ({ candidate }) => candidate && sendPC.addIceCandidate(new RTCIceCandidate(candidate)));
  socket.on('allUsers', ({ users }) => users.forEach(({ id }) => createReceiverPC(id)));
  socket.on('userEnter', ({ id }) => createReceiverPC(id));
  socket.on('userExit', ({ id }) => {
    receivePCs.get(id)?.close();
    receivePCs.delete(id);
  });
  socket.on('getReceiverAnswer', ({ id, sdp }) => receivePCs.get(id).setRemoteDescription(new RTCSessionDescription(sdp)));
  socket.on('getReceiverCandidate', ({ id, candidate }) => candidate && receivePCs.get(id).addIceCandidate(new RTCIceCandidate(candidate)));
  for (const name of ['allUsers', 'userEnter', 'userExit', 'getSenderAnswer', 'getReceiverAnswer', 'error', 'disconnect', 'connect_error']) {
    socket.on(name, (payload) => push(events, { name, payload: payload instanceof Error ? payload.message : payload?.sdp ? { id: payload.id } : payload, t: Date.now() }));
  }
};

const camera = ({ sender, width, height, fps }) => {
  const source = new nonstandard.RTCVideoSource();
  const sound = new nonstandard.RTCAudioSource();
  let n = 0;
  painting = setInterval(() => {
    const data = new Uint8ClampedArray((width * height * 3) / 2);
    const id = mark(sender, n);
    const buffer = Buffer.from(data.buffer);
    paintI420(buffer, width, height, n);
    stampI420(buffer, width, height, id);
    source.onFrame({ width, height, data });
    push(sent, { id, t: Date.now(), w: width });
    n += 1;
  }, 1000 / fps);
  const samples = new Int16Array(480);
  const silence = setInterval(() => sound.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 }), 10);
  silence.unref();
  return new MediaStream([source.createTrack(), sound.createTrack()]);
};

const verbs = {
  connect: async ({ url, version, room, camera: wanted, forged, transports }) => {
    roomID = room;
    const options = transports ? { transports } : {};
    socket = version === 2 ? io2(url, options) : io4(url, options);
    listen();
    await new Promise((done, failed) => {
      socket.on('connect', done);
      socket.on('connect_error', failed);
    });
    if (wanted) {
      localStream = camera(wanted);
      sendPC = new RTCPeerConnection({ iceServers: [] });
      sendPC.onicecandidate = ({ candidate }) => candidate && socket.emit('senderCandidate', { candidate, senderSocketID: forged ?? socket.id });
      localStream.getTracks().forEach((track) => sendPC.addTrack(track, localStream));
      const sdp = await sendPC.createOffer({ offerToReceiveAudio: false, offerToReceiveVideo: false });
      await sendPC.setLocalDescription(sdp);
      socket.emit('senderOffer', { sdp, senderSocketID: forged ?? socket.id, roomID });
    }
    socket.emit('joinRoom', { id: socket.id, roomID });
    return { socketId: socket.id };
  },
  events: async () => events,
  transport: async () => ({ connected: socket.connected, transport: socket.io.engine.transport.name }),
  frames: async ({ identity, since = 0 }) => (seen.get(identity) ?? []).filter(({ t }) => t >= since),
  sent: async ({ since = 0 } = {}) => sent.filter(({ t }) => t >= since),
  streams: async ({ identity }) => streams.get(identity) ?? [],
  leave: async () => {
    clearInterval(painting);
    socket.disconnect();
    sendPC?.close();
    for (const pc of receivePCs.values()) pc.close();
  },
};

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
answer({ ready: true });
const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { id, verb, args } = JSON.parse(line);
  try {
    answer({ id, ok: (await verbs[verb](args ?? {})) ?? null });
  } catch (error) {
    answer({ id, error: String(error?.stack ?? error) });
  }
});
// wrtc keeps threads of its own, and does not like to be torn down while they run.
lines.on('close', () => process.kill(process.pid, 'SIGKILL'));
