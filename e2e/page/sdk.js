// The SDK test page: livekit-client and nothing of our app. It draws the same tiles as the app does, so that one set of helpers reads both.
import { DataPacket_Kind, Room, RoomEvent, Track, VideoPresets, VideoQuality } from 'livekit-client';

const received = { data: [], texts: [], events: [] };
const rpcSeen = [];
let room;

const tile = (identity, source, local) => {
  const key = `tile-${identity}-${source}`;
  let element = document.getElementById(key);
  if (!element) {
    element = document.createElement('div');
    element.id = key;
    Object.assign(element.dataset, { testid: 'tile', identity, source, local: String(local) });
    document.body.append(element);
  }
  return element;
};

const show = (track, participant, local) => {
  const element = track.attach();
  if (track.kind === Track.Kind.Video) {
    Object.assign(element, { muted: true, playsInline: true });
    tile(participant.identity, track.source, local).replaceChildren(element);
  } else if (!local) {
    document.body.append(element);
  }
};

const note = (event, ...details) => received.events.push({ t: window.__e2e.now(), event, details: details.map(String) });

const listen = () => {
  room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => {
    show(track, participant, false);
    note('trackSubscribed', publication.trackSid, participant.identity);
  });
  room.on(RoomEvent.TrackUnsubscribed, (track, publication, participant) => {
    for (const element of track.detach()) element.remove();
    note('trackUnsubscribed', publication.trackSid, participant.identity);
  });
  room.on(RoomEvent.LocalTrackPublished, ({ track }, participant) => {
    if (track.kind === Track.Kind.Video) show(track, participant, true);
  });
  room.on(RoomEvent.DataReceived, (payload, participant, kind, topic) => {
    received.data.push({ text: new TextDecoder().decode(payload), from: participant?.identity ?? '', reliable: kind === DataPacket_Kind.RELIABLE, topic: topic ?? '' });
  });
  for (const event of ['Disconnected', 'Reconnecting', 'SignalReconnecting', 'Reconnected', 'ParticipantConnected', 'ParticipantDisconnected', 'TrackMuted', 'TrackUnmuted', 'RoomMetadataChanged', 'ParticipantMetadataChanged', 'ParticipantNameChanged', 'ActiveSpeakersChanged', 'ConnectionQualityChanged']) {
    room.on(RoomEvent[event], (...details) => note(event, ...details.map((d) => d?.identity ?? d?.trackSid ?? d)));
  }
};

window.sdk = {
  received,
  rpcSeen,
  connect: async ({ url, token, single = true, options = {}, connectOptions = {} }) => {
    room = new Room({ singlePeerConnection: single, ...options });
    window.__madang = { room };
    listen();
    room.registerTextStreamHandler('e2e', async (reader, { identity }) => received.texts.push({ from: identity, text: await reader.readAll() }));
    room.registerRpcMethod('length', async ({ callerIdentity, payload }) => {
      rpcSeen.push(callerIdentity);
      return `${room.localParticipant.identity} got ${payload.length} from ${callerIdentity}`;
    });
    room.registerRpcMethod('echo', async ({ payload }) => payload);
    const start = performance.now();
    await room.connect(url, token, connectOptions);
    return { ms: performance.now() - start, sid: room.localParticipant.sid, path: performance.getEntriesByType('resource').map((e) => e.name).filter((n) => n.includes('/rtc')) };
  },
  publishMicrophone: async () => {
    const publication = await room.localParticipant.setMicrophoneEnabled(true, { echoCancellation: false, noiseSuppression: false, autoGainControl: false });
    return publication.trackSid;
  },
  publishCamera: async ({ width = 640, height = 360, fps = 15, codec = 'vp8', simulcast = true, layers } = {}) => {
    const simulcastLayers = layers?.map((name) => VideoPresets[name]);
    const publication = await room.localParticipant.setCameraEnabled(true, { resolution: { width, height, frameRate: fps } }, { videoCodec: codec, simulcast, backupCodec: false, ...(simulcastLayers ? { videoSimulcastLayers: simulcastLayers } : {}), videoEncoding: { maxBitrate: 1_500_000, maxFramerate: fps } });
    return publication.trackSid;
  },
  sendData: (text, reliable, to) => room.localParticipant.publishData(new TextEncoder().encode(text), { reliable, topic: 'e2e', ...(to ? { destinationIdentities: [to] } : {}) }),
  sendText: async (text) => void (await room.localParticipant.sendText(text, { topic: 'e2e' })),
  rpc: (to, method, payload) => room.localParticipant.performRpc({ destinationIdentity: to, method, payload }),
  quality: (identity, name) => {
    for (const publication of room.remoteParticipants.get(identity).videoTrackPublications.values()) publication.setVideoQuality(VideoQuality[name]);
  },
  simulate: (scenario) => room.simulateScenario(scenario),
  participants: () => [...room.remoteParticipants.values()].map((p) => ({ identity: p.identity, name: p.name, metadata: p.metadata, tracks: [...p.trackPublications.values()].map((t) => ({ sid: t.trackSid, source: t.source, muted: t.isMuted, subscribed: t.isSubscribed })) })),
  local: () => ({ sid: room.localParticipant.sid, identity: room.localParticipant.identity, name: room.localParticipant.name, metadata: room.localParticipant.metadata, tracks: [...room.localParticipant.trackPublications.values()].map((t) => ({ sid: t.trackSid, source: t.source, muted: t.isMuted })) }),
  state: () => room.state,
  metadata: () => room.metadata,
  leave: () => room.disconnect(),
  stats: async () => {
    const out = [];
    const { pcManager } = room.engine;
    for (const [name, transport] of Object.entries({ publisher: pcManager?.publisher, subscriber: pcManager?.subscriber })) {
      const report = await transport?.getStats?.();
      report?.forEach((stat) => {
        if (['inbound-rtp', 'outbound-rtp', 'codec', 'candidate-pair', 'transport', 'local-candidate'].includes(stat.type)) out.push({ pc: name, ...stat });
      });
    }
    return out;
  },
};
