// A participant on @livekit/rtc-node, driven by one JSON object per line: {id, verb, args} in, {id, ok | error} out.
import { createInterface } from 'node:readline';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  DataPacketKind,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
  VideoBufferType,
  VideoFrame,
  VideoSource,
  VideoStream,
  dispose,
} from '@livekit/rtc-node';
import { beep } from '../lib/clips.mjs';
import { mark, paintI420, readLuma, stampI420 } from '../lib/marks.mjs';
import { levelDb } from '../lib/measure.mjs';

const RATE_HZ = 48000;
const HEARD_SAMPLES_MAX = RATE_HZ * 3;
const LOG_MAX = 2000;

const room = new Room();
const frames = new Map();
const heard = new Map();
const received = { data: [], texts: [], events: [] };
const sentFrames = [];
const timers = [];
const now = () => performance.timeOrigin + performance.now();
const push = (log, entry) => {
  log.push(entry);
  if (log.length > LOG_MAX) log.shift();
};

const readVideo = async (track, identity) => {
  if (!frames.has(identity)) frames.set(identity, []);
  for await (const { frame } of new VideoStream(track)) {
    const picture = frame.type === VideoBufferType.I420 ? frame : frame.convert(VideoBufferType.I420);
    push(frames.get(identity), { id: readLuma(picture.data, picture.width, picture.width, picture.height), t: now(), w: picture.width });
  }
};

const readAudio = async (track, identity) => {
  if (!heard.has(identity)) heard.set(identity, []);
  const samples = heard.get(identity);
  for await (const frame of new AudioStream(track, RATE_HZ, 1)) {
    for (const sample of frame.data) samples.push(sample / 32768);
    if (samples.length > HEARD_SAMPLES_MAX) samples.splice(0, samples.length - HEARD_SAMPLES_MAX);
  }
};

const listen = () => {
  room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => {
    const read = track.kind === TrackKind.KIND_VIDEO ? readVideo : readAudio;
    read(track, participant.identity).catch((error) => push(received.events, { t: now(), event: `reader: ${error}` }));
  });
  room.on(RoomEvent.DataReceived, (payload, participant, kind, topic) => {
    received.data.push({ text: new TextDecoder().decode(payload), from: participant?.identity ?? '', reliable: kind === DataPacketKind.KIND_RELIABLE, topic: topic ?? '' });
  });
  for (const event of ['Disconnected', 'Reconnecting', 'Reconnected', 'ParticipantConnected', 'ParticipantDisconnected', 'LocalTrackRepublished']) {
    room.on(RoomEvent[event], (...details) => push(received.events, { t: now(), event: event[0].toLowerCase() + event.slice(1), details: details.map((d) => String(d?.identity ?? d)) }));
  }
  room.registerTextStreamHandler('e2e', async (reader, { identity }) => received.texts.push({ from: identity, text: await reader.readAll() }));
};

const publishMicrophone = async ({ frequencyHz }) => {
  const source = new AudioSource(RATE_HZ, 1);
  const options = new TrackPublishOptions();
  options.source = TrackSource.SOURCE_MICROPHONE;
  await room.localParticipant.publishTrack(LocalAudioTrack.createAudioTrack('microphone', source), options);
  let at = 0;
  const play = async () => {
    for (;;) {
      const data = new Int16Array(RATE_HZ / 50);
      for (let i = 0; i < data.length; i += 1, at += 1) data[i] = Math.round(beep(frequencyHz, at) * 32767);
      await source.captureFrame(new AudioFrame(data, RATE_HZ, 1, data.length));
    }
  };
  play().catch(() => {});
};

const publishCamera = async ({ sender, width, height, fps, simulcast = true }) => {
  const source = new VideoSource(width, height);
  const options = new TrackPublishOptions();
  Object.assign(options, { source: TrackSource.SOURCE_CAMERA, simulcast });
  await room.localParticipant.publishTrack(LocalVideoTrack.createVideoTrack('camera', source), options);
  let n = 0;
  const buffer = Buffer.alloc((width * height * 3) / 2);
  timers.push(
    setInterval(() => {
      const id = mark(sender, n);
      paintI420(buffer, width, height, n);
      stampI420(buffer, width, height, id);
      push(sentFrames, { id, t: now(), w: width });
      source.captureFrame(new VideoFrame(new Uint8Array(buffer), width, height, VideoBufferType.I420));
      n += 1;
    }, 1000 / fps),
  );
};

const verbs = {
  connect: async ({ url, token, single }) => {
    listen();
    const start = performance.now();
    await room.connect(url, token, { autoSubscribe: true, dynacast: false, singlePeerConnection: single });
    room.localParticipant.registerRpcMethod('length', async ({ callerIdentity, payload }) => `${room.localParticipant.identity} got ${payload.length} from ${callerIdentity}`);
    room.localParticipant.registerRpcMethod('echo', async ({ payload }) => payload);
    return { ms: performance.now() - start };
  },
  publishMicrophone,
  publishCamera,
  frames: ({ identity, since = 0 }) => (frames.get(identity) ?? []).filter((frame) => frame.t >= since),
  sent: ({ since = 0 }) => sentFrames.filter((frame) => frame.t >= since),
  hear: async ({ identity, frequencies, ms }) => {
    if (!heard.has(identity)) return null;
    heard.get(identity).length = 0;
    await new Promise((done) => setTimeout(done, ms));
    const samples = heard.get(identity);
    const levels = Object.fromEntries(frequencies.map((f) => [f, -180]));
    for (let at = 0; at + 4096 <= samples.length; at += 2048) {
      const block = samples.slice(at, at + 4096);
      for (const f of frequencies) levels[f] = Math.max(levels[f], levelDb(block, RATE_HZ, f));
    }
    return levels;
  },
  sendData: ({ text, reliable, to }) => room.localParticipant.publishData(new TextEncoder().encode(text), { reliable, topic: 'e2e', destination_identities: to ? [to] : [] }),
  sendText: async ({ text }) => void (await room.localParticipant.sendText(text, { topic: 'e2e' })),
  rpc: ({ to, method, payload }) => room.localParticipant.performRpc({ destinationIdentity: to, method, payload }),
  simulate: ({ scenario }) => room.simulateScenario(scenario),
  received: () => received,
  participants: () => [...room.remoteParticipants.values()].map((p) => p.identity),
  leave: async () => {
    for (const timer of timers) clearInterval(timer);
    await room.disconnect();
  },
};

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { id, verb, args } = JSON.parse(line);
  try {
    answer({ id, ok: (await verbs[verb](args ?? {})) ?? null });
  } catch (error) {
    answer({ id, error: `${error?.stack ?? error}` });
  }
});
lines.on('close', async () => {
  await dispose().catch(() => {});
  process.exit(0);
});
answer({ ready: true });
