// WHIP and WHEP: pages with nothing but fetch, aiortc, and LiveKit's client on the other side, in one room; and every status that the door answers with.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { openChromium, openFirefox, sdkPage } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { doorPage } from '../lib/door_pages.mjs';
import { assertFramesArrive, eventually, frameFigures, show, wait } from '../lib/measure.mjs';
import { ProcessPeer } from '../lib/peers.mjs';
import { freeTcpPort, freeUdpPort, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { joinToken, nowSeconds, rawToken, roomName } from '../lib/tokens.mjs';

const skip = skipUnlessOwned();
const KEY = 'courtyard';
const SECRET = 'a secret of at least thirty-two characters';
const STREAM_KEY = 'an encoder shows this one';
const WATCH_KEY = 'a player shows this one';
const CLIP = { width: 480, height: 270, fps: 10 };
const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';
// Generous: the machine may be busy. The figure itself is printed.
const FIRST_FRAME_MS_MAX = 10_000;

let server;
let anna;
let finn;
let sdk;

const call = (visitor, verb, options) => visitor.evaluate(({ v, o }) => window.whip[v](o), { v: verb, o: options });
const token = (room, identity, grant) => joinToken(server, { room, identity, grant });
const publish = async (visitor, name, room, more = {}) => {
  const told = await call(visitor, 'publish', { name, url: `${server.url}/whip/${room}`, token: await token(room, name), ...more });
  assert.equal(told.status, 201, told.text);
  return told;
};
const watch = async (visitor, name, room, more = {}) => {
  const told = await call(visitor, 'watch', { name, url: `${server.url}/whep/${room}`, token: await token(room, name), ...more });
  assert.equal(told.status, 201, told.text);
  return told;
};
const firstFrame = (visitor, name, since = 0) => eventually(`a frame at ${name}`, async () => (await visitor.frames(name, since)).find((frame) => frame.id >= 0), { ms: 20_000 });
const arrive = (pairs) => assertFramesArrive(pairs.map(([who, from, sender, visitor, name]) => ({
  who,
  sent: () => anna.frames(from),
  painted: () => visitor.frames(name),
  paints: (since) => visitor.painted(name, since),
  sender,
  limits: { sentMin: 30 },
})), { windowMs: 5000 });
const events = async (visitor, name, event) => (await call(visitor, 'events', { name })).filter((told) => told.event === event);

before(async () => {
  if (skip) return;
  server = await startServer({ own: true });
  anna = await openChromium({ name: 'anna', sender: 71, video: videoClip({ sender: 71, ...CLIP }), audio: audioClip({ frequencyHz: 500 }) });
  await anna.goto(await doorPage('whip'));
});
after(async () => {
  await finn?.close();
  await sdk?.close();
  await anna?.close();
  await server?.stop();
});

describe('browsers', { skip, concurrency: false }, () => {
  const room = roomName('whip');

  test('who watches before anybody publishes is answered at once, and sees the first frame soon after the publisher posts', async () => {
    const viewer = await watch(anna, 'early', room);
    console.log(`  WHEP was answered in ${viewer.answeredMs.toFixed(0)} ms`);
    assert.match(viewer.location, new RegExp(`^/whep/${room}/[\\w-]{24}$`));
    assert.match(viewer.etag, /^"[0-9a-f]{16}-0"$/);
    assert.equal(viewer.patch, FRAGMENT);
    assert.match(viewer.link, /rel="urn:ietf:params:whep:ext:core:layer"/);
    assert.match(viewer.link, /rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="active,inactive,layers,viewercount"/);
    assert.match(viewer.link, /<turn:[^>]+transport=tcp>; rel="ice-server"; username="[^"]+"; credential="[^"]+"; credential-type="password"/);
    await eventually('the viewer is connected', async () => (await call(anna, 'state', { name: 'early' })) === 'connected', { ms: 20_000 });
    await call(anna, 'listen', { name: 'early' });
    await eventually('nobody publishes', async () => (await events(anna, 'early', 'inactive')).length === 1);
    const publisher = await publish(anna, 'studio', room);
    assert.match(publisher.location, new RegExp(`^/whip/${room}/[\\w-]{24}$`));
    const first = await firstFrame(anna, 'early');
    const ms = first.t - publisher.start;
    console.log(`  first frame ${ms.toFixed(0)} ms after the WHIP POST (answered in ${publisher.answeredMs.toFixed(0)} ms)`);
    assert.ok(ms < FIRST_FRAME_MS_MAX, `${ms} ms`);
    await eventually('somebody publishes', async () => (await events(anna, 'early', 'active')).length === 1);
  });

  test('every frame arrives, in Chromium and in Firefox', async () => {
    finn = await openFirefox({ name: 'finn', sender: 72, frequencyHz: 1100, ...CLIP });
    await finn.goto(await doorPage('whip'));
    const late = await watch(finn, 'late', room);
    const first = await firstFrame(finn, 'late');
    console.log(`  Firefox: first frame ${(first.t - late.start).toFixed(0)} ms after the WHEP POST`);
    await wait(1000);
    await arrive([
      ['Chromium -> Chromium', 'studio', 71, anna, 'early'],
      ['Chromium -> Firefox', 'studio', 71, finn, 'late'],
    ]);
    await eventually('two watch', async () => (await events(anna, 'early', 'viewercount')).at(-1)?.data.viewercount === 2);
  });

  test('LiveKit sees the publisher as a participant, and no viewer', async () => {
    sdk = await anna.another({ name: 'lena' });
    await sdk.goto(await sdkPage());
    await sdk.sdk('connect', { url: server.socketUrl, token: await token(room, 'lena') });
    await firstFrame(sdk, 'studio');
    const others = await sdk.evaluate(() => [...window.__madang.room.remoteParticipants.values()].map((p) => [p.identity, p.kind]));
    assert.deepEqual(others, [['studio', 1]], 'of kind ingress');
    await arrive([['Chromium by WHIP -> livekit-client', 'studio', 71, sdk, 'studio']]);
  });

  test('candidates are patched under the tag of the session', async () => {
    const patched = async (condition) => (await call(anna, 'trickle', { name: 'studio', condition })).status;
    assert.equal(await patched(), 204);
    assert.equal(await patched('"another"'), 412);
    assert.equal(await patched(null), 428);
    assert.equal(await patched('*'), 204);
  });

  test('ICE restarts on both sides, and the frames go on', async () => {
    for (const [name, tag] of [['studio', /-1"$/], ['early', /-1"$/]]) {
      const before = await call(anna, 'usedUfrag', { name });
      const told = await call(anna, 'restart', { name });
      assert.deepEqual([told.status, told.type], [200, FRAGMENT], told.body);
      assert.match(told.etag, tag);
      assert.match(told.body, /a=candidate:/);
      assert.notEqual(await call(anna, 'usedUfrag', { name }), before);
      assert.equal((await call(anna, 'trickle', { name })).status, 204);
    }
    await wait(1500);
    await arrive([['after the restarts', 'studio', 71, anna, 'early']]);
  });

  test('DELETE ends the publisher; the viewer stays and sees the next one', async () => {
    assert.equal(await call(anna, 'end', { name: 'studio' }), 200);
    await eventually('nobody publishes', async () => (await events(anna, 'early', 'inactive')).length === 2);
    const at = Date.now();
    await publish(anna, 'second', room);
    await firstFrame(anna, 'early', at);
    await wait(1000);
    await arrive([['the second publisher', 'second', 71, anna, 'early']]);
    assert.equal(await call(anna, 'end', { name: 'second' }), 200);
    await eventually('the room app sees it go', async () => sdk.evaluate(() => window.__madang.room.remoteParticipants.size === 0));
  });

  test('what LiveKit publishes is watched by WHEP', async () => {
    const at = Date.now();
    await sdk.sdk('publishCamera', { ...CLIP, simulcast: false });
    await firstFrame(anna, 'early', at);
    await eventually('somebody publishes', async () => (await events(anna, 'early', 'active')).length === 3);
    await sdk.close();
    sdk = undefined;
    await eventually('and nobody again', async () => (await events(anna, 'early', 'inactive')).length === 4);
    assert.equal(await call(anna, 'end', { name: 'early' }), 200);
  });

  test('a viewer chooses among the layers of a simulcast', async () => {
    const stage = roomName('layers');
    const layers = [['h', 2], ['f', 1]].map(([rid, scaleResolutionDownBy]) => ({ rid, scaleResolutionDownBy, maxBitrate: 1_500_000 / scaleResolutionDownBy }));
    await publish(anna, 'layered', stage, { layers, audio: false, size: CLIP });
    await watch(anna, 'picky', stage);
    await call(anna, 'listen', { name: 'picky' });
    const told = await eventually('the layers are told', async () => (await events(anna, 'picky', 'layers')).at(-1)?.data);
    assert.deepEqual(told['1'].layers.map((layer) => layer.encodingId), ['h', 'f']);
    const width = async (wanted) => eventually(`pictures of ${wanted}`, async () => (await anna.frames('picky')).at(-1)?.w === wanted, { ms: 20_000 });
    await firstFrame(anna, 'picky');
    assert.equal(await call(anna, 'layer', { name: 'picky', mediaId: '1', encodingId: 'h' }), 200);
    await width(240);
    assert.equal(await call(anna, 'layer', { name: 'picky', mediaId: '1', encodingId: 'f' }), 200);
    await width(480);
    assert.equal(await call(anna, 'layer', { name: 'picky', mediaId: '0', encodingId: 'h' }), 422);
    assert.equal(await call(anna, 'layer', { name: 'picky', encodingId: 'x' }), 422);
    for (const name of ['picky', 'layered']) assert.equal(await call(anna, 'end', { name }), 200);
  });
});

describe('aiortc', { skip, concurrency: false }, () => {
  test('publishes by WHIP and watches by WHEP', async () => {
    const room = roomName('aiortc');
    const [publisher, viewer] = [new ProcessPeer('whip'), new ProcessPeer('whip')];
    try {
      await Promise.all([publisher.ready, viewer.ready]);
      const watched = await viewer.call('watch', { url: `${server.url}/whep/${room}`, token: await token(room, 'viewer') });
      assert.equal(watched.status, 201, watched.text);
      const start = Date.now();
      const told = await publisher.call('publish', { url: `${server.url}/whip/${room}`, token: await token(room, 'robot'), camera: { sender: 73, ...CLIP } });
      assert.equal(told.status, 201, told.text);
      const first = await eventually('a frame', async () => (await viewer.call('frames')).find((frame) => frame.id >= 0), { ms: 30_000 });
      console.log(`  first frame ${(first.t - start).toFixed(0)} ms after the WHIP POST was asked for`);
      const from = Date.now();
      await wait(5000);
      const to = Date.now();
      await wait(1000);
      const figures = frameFigures(await publisher.call('sent'), await viewer.call('frames'), { from, to, sender: 73 });
      console.log(`  aiortc -> aiortc: ${show(figures)}`);
      assert.ok(figures.painted >= 15 && figures.foreign === 0, show(figures));
      assert.equal(await publisher.call('end'), 200);
      assert.equal(await viewer.call('end'), 200);
    } finally {
      await publisher.close?.();
      await viewer.close?.();
    }
  });
});

describe('statuses', { skip, concurrency: false }, () => {
  let strict;
  let offer;
  let viewing;
  const room = 'yard';

  before(async () => {
    const ports = [await freeTcpPort(), await freeUdpPort()];
    strict = await startServer({
      own: true,
      ports,
      key: KEY,
      secret: SECRET,
      env: { MADANG_BIND: '127.0.0.1', MADANG_ROOMS_PEERS_MAX: '2', MADANG_ROOMS_MESH: 'mesh-*', MADANG_WHIP_STREAM_KEYS: `yard/encoder: ${STREAM_KEY}`, MADANG_WHIP_WATCH_KEYS: `yard: ${WATCH_KEY}` },
    });
    const made = (direction) => anna.evaluate(async (way) => {
      const pc = new RTCPeerConnection();
      pc.addTransceiver('video', { direction: way });
      await pc.setLocalDescription();
      return pc.localDescription.sdp;
    }, direction);
    [offer, viewing] = [await made('sendonly'), await made('recvonly')];
  });
  after(() => strict?.stop());

  const ask = (path, { method = 'POST', bearer, body, type = SDP, headers = {} } = {}) =>
    fetch(strict.url + path, { method, body, headers: { ...(type && body !== undefined ? { 'Content-Type': type } : {}), ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}), ...headers } });
  const good = (grant = {}, into = room, identity = 'me') => joinToken(strict, { room: into, identity, grant });

  test('who shows nothing, or nothing good, is 401 or 403', async () => {
    const expired = rawToken(strict, { sub: 'me', exp: nowSeconds() - 100, video: { roomJoin: true, room } });
    const forged = rawToken(strict, { sub: 'me', exp: nowSeconds() + 100, video: { roomJoin: true, room } }, { secret: 'another' });
    for (const [what, bearer, status, challenge] of [
      ['nothing', undefined, 401, 'Bearer realm="room"'],
      ['no token', 'hello', 401, 'Bearer realm="room", error="invalid_token"'],
      ['expired', expired, 401, 'Bearer realm="room", error="invalid_token"'],
      ['forged', forged, 401, 'Bearer realm="room", error="invalid_token"'],
      ['of another room', await good({}, 'garden'), 403, 'Bearer realm="room", error="insufficient_scope"'],
      ['may not join', rawToken(strict, { sub: 'me', exp: nowSeconds() + 100, video: { room } }), 403, 'Bearer realm="room", error="insufficient_scope"'],
    ]) {
      const response = await ask(`/whip/${room}`, { bearer, body: offer });
      assert.deepEqual([response.status, response.headers.get('www-authenticate')], [status, challenge], what);
    }
    assert.equal((await ask(`/whip/${room}`, { bearer: await good({ canPublish: false }), body: offer })).status, 403);
    assert.equal((await ask(`/whip/${room}`, { bearer: await good({ canPublishSources: [2] }), body: offer })).status, 403, 'only a microphone');
    assert.equal((await ask(`/whep/${room}`, { bearer: await good({ canSubscribe: false }), body: viewing })).status, 403);
    assert.equal((await ask(`/whep/${room}`, { bearer: STREAM_KEY, body: viewing })).status, 401, 'an encoder watches nothing');
    assert.equal((await ask('/whip/garden', { bearer: STREAM_KEY, body: offer })).status, 403);
  });

  test('what cannot be is told by its status', async () => {
    const bearer = await good();
    for (const [what, path, options, status] of [
      ['no body', `/whip/${room}`, { body: ' ' }, 400],
      ['no description', `/whip/${room}`, { body: 'hello' }, 400],
      ['broken', `/whip/${room}`, { body: 'v=0\r\nm=video 9 X 96\r\na=sendonly\r\n' }, 400],
      ['JSON', `/whip/${room}`, { body: '{}', type: 'application/json' }, 415],
      ['wants HTML', `/whip/${room}`, { body: offer, headers: { Accept: 'text/html' } }, 406],
      ['too large', `/whip/${room}`, { body: 'v=0'.padEnd(300_000, 'x') }, 413],
      ['receives only', `/whip/${room}`, { body: viewing }, 422],
      ['sends only', `/whep/${room}`, { body: offer }, 422],
      ['a codec of its own', `/whip/${room}`, { body: offer.replace(/VP8|VP9|H264|AV1|H265|red|ulpfec|rtx|flexfec-03/g, 'X-OWN') }, 422],
      ['no session', `/whip/${room}/nobody`, { method: 'DELETE' }, 404],
      ['no session to patch', `/whip/${room}/nobody`, { method: 'PATCH', body: 'a=x', type: FRAGMENT }, 404],
      ['no session to hear', `/whep/${room}/nobody/events`, { method: 'GET' }, 404],
    ]) {
      const response = await ask(path, { bearer, ...options });
      assert.equal(response.status, status, `${what}: ${await response.text()}`);
    }
    const meshed = await ask('/whip/mesh-1', { bearer: await good({}, 'mesh-1'), body: offer });
    assert.equal(meshed.status, 409);
    for (const [path, method, allow] of [
      [`/whip/${room}`, 'GET', 'POST, OPTIONS'],
      [`/whep/${room}`, 'PUT', 'POST, OPTIONS'],
      [`/whip/${room}/x`, 'POST', 'PATCH, DELETE, OPTIONS'],
      [`/whep/${room}/x/layer`, 'GET', 'POST, OPTIONS'],
    ]) {
      const response = await ask(path, { method });
      assert.deepEqual([response.status, response.headers.get('allow')], [405, allow], `${method} ${path}`);
    }
  });

  test('pages of any origin may ask, also with a token', async () => {
    const preflight = await ask(`/whip/${room}`, { method: 'OPTIONS', headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'authorization,content-type,if-match' } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
    assert.match(preflight.headers.get('access-control-allow-methods'), /PATCH.*DELETE/);
    assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization,content-type,if-match');
    const plain = await ask(`/whip/${room}`, { method: 'OPTIONS', bearer: await good() });
    assert.deepEqual([plain.status, plain.headers.get('allow'), plain.headers.get('accept-post')], [204, 'POST, OPTIONS', SDP]);
    const refused = await ask(`/whip/${room}`, { body: offer, headers: { Origin: 'https://a.example' } });
    assert.equal(refused.headers.get('access-control-allow-origin'), '*', 'a page may read why not');
    assert.match(refused.headers.get('access-control-expose-headers'), /Location.*Link.*ETag/);
  });

  test('a stream key publishes, by every path; a full room is 503; a session is patched, and ends once', async () => {
    const opened = await ask(`/whip/${room}`, { bearer: STREAM_KEY, body: offer });
    assert.equal(opened.status, 201, await opened.clone().text());
    assert.equal(opened.headers.get('content-type'), SDP);
    const location = opened.headers.get('location');
    const again = await ask('/whip', { bearer: STREAM_KEY, body: offer });
    assert.equal(again.status, 201, 'the same encoder takes its place again');
    await eventually('the former session is gone', async () => (await ask(location, { method: 'DELETE' })).status === 404);
    const watched = await ask(`/${room}/whep`, { bearer: WATCH_KEY, body: viewing });
    assert.equal(watched.status, 201);
    const full = await ask(`/api/whep?room=${room}`, { bearer: WATCH_KEY, body: viewing });
    assert.deepEqual([full.status, full.headers.get('retry-after')], [503, '5'], 'two members are as many as may be');
    const session = watched.headers.get('location');
    for (const [what, options, status] of [
      ['no type', { body: 'a=x', type: 'text/plain' }, 415],
      ['no condition', { body: 'a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n' }, 428],
      ['another session', { body: 'a=end-of-candidates\r\n', headers: { 'If-Match': '"x"' } }, 412],
      ['no fragment', { body: 'hello', headers: { 'If-Match': '*' } }, 400],
      ['the end of candidates', { body: 'a=end-of-candidates\r\n', headers: { 'If-Match': watched.headers.get('etag') } }, 204],
    ]) {
      const response = await ask(session, { method: 'PATCH', type: FRAGMENT, ...options });
      assert.equal(response.status, status, `${what}: ${await response.text()}`);
    }
    const listening = await ask(`${session}/events`, { body: '["viewercount"]', type: 'application/json' });
    assert.equal(listening.status, 201);
    assert.match(listening.headers.get('location'), /\/events\?events=viewercount$/);
    const stream = (await ask(listening.headers.get('location'), { method: 'GET' })).body.getReader();
    assert.match(new TextDecoder().decode((await stream.read()).value), /^event: viewercount\ndata: \{"viewercount":1\}/);
    assert.equal((await ask(session, { method: 'DELETE' })).status, 200);
    assert.equal((await ask(session, { method: 'DELETE' })).status, 404);
    for (let rest = await stream.read(); !rest.done; rest = await stream.read());
    assert.equal((await ask(again.headers.get('location'), { method: 'DELETE' })).status, 200);
    assert.equal((await ask(`/r/whip`, { method: 'GET', headers: { Accept: 'text/html' } })).status, 200, 'the room of that name has its page');
  });
});
