// A peer of the Socket.IO signalling server on socket.io-client 4 and wrtc: the class that the server's description prints, and the data channel of
// its examples (negotiated, number 0). Driven by one JSON object per line: {id, verb, args} in, {id, ok | error} out.
import { createInterface } from 'node:readline';
import wrtc from '@roamhq/wrtc';
import { io } from 'socket.io-client';

const events = [];
const texts = [];
let socket;
let peerId;
let pc;
let channel;

const handlers = {
  sdp: async (from, { sdp }) => {
    if (sdp.type === 'answer') await pc.setRemoteDescription(sdp);
  },
};

const verbs = {
  connect: async ({ url, token, peerId: own, peerType, impatient }) => {
    peerId = own;
    socket = io(url, { auth: { token }, autoConnect: false, reconnection: false });
    socket.on('message', (message) => {
      events.push({ name: 'message', payload: message });
      handlers[message?.payload?.action]?.(message.from, message.payload);
    });
    socket.on('uniquenessError', (payload) => events.push({ name: 'uniquenessError', payload }));
    socket.on('disconnect', (reason) => events.push({ name: 'disconnect', payload: reason }));
    const done = new Promise((connected) => {
      socket.on('connect', () => {
        socket.emit('ready', peerId, peerType);
        if (impatient) socket.emit('message', { from: peerId, target: 'all', payload: impatient });
        connected({ socketId: socket.id });
      });
      socket.on('connect_error', ({ message }) => connected({ error: message }));
    });
    socket.connect();
    return done;
  },
  emit: async ({ event, payload }) => {
    if (payload === undefined) socket.emit(event);
    else socket.emit(event, payload);
  },
  offer: async ({ to }) => {
    pc = new wrtc.RTCPeerConnection({ iceServers: [] });
    channel = pc.createDataChannel(`${peerId}Channel`, { negotiated: true, id: 0 });
    channel.onmessage = ({ data }) => texts.push(data);
    await pc.setLocalDescription(await pc.createOffer());
    await new Promise((gathered) => {
      const look = () => pc.iceGatheringState === 'complete' && gathered();
      pc.onicegatheringstatechange = look;
      look();
    });
    const { type, sdp } = pc.localDescription;
    socket.emit('messageOne', { from: peerId, target: to, payload: { action: 'sdp', sdp: { type, sdp } } });
    await new Promise((open) => {
      channel.onopen = open;
    });
  },
  say: async ({ text }) => channel.send(text),
  received: async () => ({ events, texts, transport: socket.io.engine?.transport?.name }),
  leave: async () => {
    socket.disconnect();
    pc?.close();
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
