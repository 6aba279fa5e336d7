// A page that publishes by WHIP and watches by WHEP with nothing but fetch and RTCPeerConnection. Sessions have names: `whip.publish('a', …)`.
const sessions = new Map();

const tile = (identity, srcObject) => {
  document.querySelectorAll(`[data-identity="${identity}"]`).forEach((box) => box.remove());
  const box = document.createElement('div');
  Object.assign(box.dataset, { testid: 'tile', identity, source: 'camera' });
  const video = document.createElement('video');
  Object.assign(video, { autoplay: true, playsInline: true, muted: true, srcObject });
  box.append(video);
  document.body.append(box);
};

const authorization = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

// Offers at once, without waiting for candidates: they are patched later.
const open = async (name, pc, { url, token }) => {
  const session = { pc, candidates: [], events: [] };
  sessions.set(name, session);
  pc.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) session.candidates.push(candidate);
  };
  await pc.setLocalDescription();
  const start = window.__e2e.now();
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp', ...authorization(token) }, body: pc.localDescription.sdp });
  const sdp = await response.text();
  const told = { status: response.status, text: response.status === 201 ? '' : sdp, location: response.headers.get('location'), etag: response.headers.get('etag'), link: response.headers.get('link'), patch: response.headers.get('accept-patch'), start, answeredMs: window.__e2e.now() - start };
  if (response.status !== 201) return told;
  Object.assign(session, { location: new URL(told.location, url).href, etag: told.etag, answer: sdp });
  await pc.setRemoteDescription({ type: 'answer', sdp });
  return told;
};

const credentialsOf = (sdp) => [/a=ice-ufrag:(\S+)/.exec(sdp)[1], /a=ice-pwd:(\S+)/.exec(sdp)[1]];

const fragment = ({ pc, candidates }) => {
  const [ufrag, password] = credentialsOf(pc.localDescription.sdp);
  const media = /m=\S+/.exec(pc.localDescription.sdp)[0];
  const lines = [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`, `${media} 9 UDP/TLS/RTP/SAVPF 0`, 'a=mid:0', ...candidates.map(({ candidate }) => `a=${candidate}`)];
  return lines.map((line) => `${line}\r\n`).join('');
};

const patch = async (session, condition) => {
  const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag', ...(condition ? { 'If-Match': condition } : {}) };
  const response = await fetch(session.location, { method: 'PATCH', headers, body: fragment(session) });
  return { status: response.status, etag: response.headers.get('etag'), type: response.headers.get('content-type'), body: await response.text() };
};

window.whip = {
  publish: async ({ name, url, token, audio = true, layers, size = { width: 480, height: 270 } }) => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: size, audio: audio && { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    const pc = new RTCPeerConnection({ iceServers: [] });
    const [video] = stream.getVideoTracks();
    for (const track of stream.getAudioTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    pc.addTransceiver(video, { direction: 'sendonly', streams: [stream], ...(layers ? { sendEncodings: layers } : {}) });
    tile(name, new MediaStream([video]));
    return open(name, pc, { url, token });
  },
  watch: async ({ name, url, token, audio = true }) => {
    const pc = new RTCPeerConnection({ iceServers: [] });
    if (audio) pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addTransceiver('video', { direction: 'recvonly' });
    const stream = new MediaStream();
    pc.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (track.kind === 'video') tile(name, stream);
    };
    return open(name, pc, { url, token });
  },
  trickle: ({ name, condition }) => patch(sessions.get(name), condition === undefined ? sessions.get(name).etag : condition),
  restart: async ({ name }) => {
    const session = sessions.get(name);
    const { pc } = session;
    session.candidates = [];
    await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
    const told = await patch(session, '*');
    if (told.status !== 200) return told;
    session.etag = told.etag;
    const [ufrag, password] = credentialsOf(told.body);
    const sdp = session.answer.replace(/a=ice-ufrag:.*/g, `a=ice-ufrag:${ufrag}`).replace(/a=ice-pwd:.*/g, `a=ice-pwd:${password}`);
    await pc.setRemoteDescription({ type: 'answer', sdp });
    return told;
  },
  state: ({ name }) => sessions.get(name).pc.connectionState,
  usedUfrag: ({ name }) => credentialsOf(sessions.get(name).pc.currentRemoteDescription.sdp)[0],
  layer: async ({ name, ...wish }) => {
    const response = await fetch(`${sessions.get(name).location}/layer`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(wish) });
    return response.status;
  },
  listen: ({ name }) => {
    const session = sessions.get(name);
    session.source = new EventSource(`${session.location}/events`);
    for (const event of ['active', 'inactive', 'layers', 'viewercount']) session.source.addEventListener(event, ({ data }) => session.events.push({ event, data: JSON.parse(data) }));
  },
  events: ({ name }) => sessions.get(name).events,
  end: async ({ name }) => {
    const session = sessions.get(name);
    session.source?.close();
    const response = await fetch(session.location, { method: 'DELETE' });
    session.pc.close();
    return response.status;
  },
};
