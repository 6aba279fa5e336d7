// Whatever is thrown at the door: each gets its documented answer, and the call in the next room does not notice.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { gzipSync } from 'node:zlib';
import WebSocket from 'ws';
import { JoinRequest, SessionDescription, SignalRequest, SignalResponse, WrappedJoinRequest } from '@livekit/protocol';
import { health, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { openPeer } from '../lib/peers.mjs';
import { joinToken, nowSeconds, rawToken, roomName } from '../lib/tokens.mjs';
import { eventually, wait } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const GAP_MS_MAX = 700;
const MIB = 1 << 20;

let server;
let publisher;
let witness;
let started;
const spans = [];

before(async () => {
  server = await startServer();
  const room = roomName('witness');
  publisher = await openPeer('python', { sender: 51, frequencyHz: 500 });
  witness = await openPeer('node', { sender: 52, frequencyHz: 800 });
  for (const peer of [publisher, witness]) await peer.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: peer.identity }), single: true });
  await publisher.publish(CLIP);
  await eventually('the witness sees the publisher', async () => (await witness.frames(publisher.identity)).length > 20, { ms: 20_000 });
  started = Date.now();
});
after(async () => {
  await witness?.close();
  await publisher?.close();
  await server?.stop();
});

const claims = (over = {}, video = {}) => ({ sub: 'anna', nbf: nowSeconds() - 5, exp: nowSeconds() + 600, video: { room: 'a', roomJoin: true, ...video }, ...over });

const joinRequest = ({ zip = false, request = {} } = {}) => {
  const plain = Buffer.from(new JoinRequest({ clientInfo: { protocol: 17 }, connectionSettings: { autoSubscribe: true }, ...request }).toBinary());
  const wrapped = new WrappedJoinRequest({ compression: zip ? 1 : 0, joinRequest: zip ? gzipSync(plain) : plain });
  return Buffer.from(wrapped.toBinary()).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
};

const v0 = (token) => `/rtc?protocol=17&auto_subscribe=1&access_token=${token}`;
const v1 = (token, request = joinRequest()) => `/rtc/v1?access_token=${token}&join_request=${encodeURIComponent(request)}`;

// {status, body} when the upgrade is refused, else {messages, closed}. `after(join)` may say what to send once joined.
const knock = (path, { then = () => [], ms = 1500, joinOnly = false, target = server } = {}) =>
  new Promise((done) => {
    const socket = new WebSocket(target.socketUrl + path);
    const messages = [];
    let closed;
    const finish = () => {
      socket.terminate();
      done({ messages, closed });
    };
    const timer = setTimeout(finish, ms);
    socket.on('unexpected-response', (request, response) => {
      clearTimeout(timer);
      const { socket: connection } = response;
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => {
        connection.destroy();
        done({ status: response.statusCode, body });
      });
    });
    socket.on('message', (data) => {
      const { message } = SignalResponse.fromBinary(data);
      messages.push(message);
      if (message.case === 'join') for (const frame of then(message.value)) socket.send(frame);
      if (joinOnly) {
        clearTimeout(timer);
        finish();
      }
    });
    socket.on('error', () => {});
    socket.on('close', (code) => {
      closed = code;
      clearTimeout(timer);
      finish();
    });
  });

const admitted = ({ status, body, messages }, who) => assert.equal(messages?.[0]?.case, 'join', `${who}: wanted to be let in, got ${status} ${body}`);

describe('tokens', () => {
  const repeating = [];
  const makers = {
    'a wrong secret': [401, () => rawToken(server, claims(), { secret: 'another secret' })],
    'alg none': [401, () => rawToken(server, claims(), { algorithm: 'none' })],
    'a signature cut off': [401, () => rawToken(server, claims()).replace(/[^.]*$/, '')],
    'an unknown key': [401, () => rawToken(server, claims({ iss: 'nobody' }))],
    'an expired one': [401, () => rawToken(server, claims({ exp: nowSeconds() - 3600 }))],
    'one not valid yet': [401, () => rawToken(server, claims({ nbf: nowSeconds() + 3600, exp: nowSeconds() + 7200 }))],
    'no roomJoin': [401, () => rawToken(server, claims({}, { roomJoin: false }))],
    'no video grant at all': [401, () => rawToken(server, { ...claims(), video: undefined })],
    'no token': [401, () => ''],
    'no token but text': [401, () => 'hello'],
    'three empty parts': [401, () => '..'],
    'an empty identity': [400, () => rawToken(server, claims({ sub: '' }))],
    'an empty room': [400, () => rawToken(server, claims({}, { room: '' }))],
    'a room name of 300 letters': [400, () => rawToken(server, claims({}, { room: 'x'.repeat(300) }))],
    'an identity of 300 letters': [400, () => rawToken(server, claims({ sub: 'x'.repeat(300) }))],
  };

  for (const [what, [status, make]] of Object.entries(makers)) {
    test(`${what}: ${status} on both paths and both validates, readable by a browser`, async () => {
      const answers = {};
      const token = make();
      for (const path of [v0(token), v1(token)]) {
        const answer = await knock(path);
        answers[path.split('?')[0]] = answer.status ?? answer.messages.map((message) => message.case);
        const check = await fetch(server.url + path.replace('?', '/validate?'), { headers: { origin: 'https://elsewhere.test' } });
        answers[`${path.split('?')[0]}/validate`] = `${check.status} ${check.headers.get('access-control-allow-origin')}`;
        if ((await check.text()).includes(token || 'no token')) repeating.push(path.split('?')[0]);
      }
      assert.deepEqual(answers, { '/rtc': status, '/rtc/validate': `${status} *`, '/rtc/v1': status, '/rtc/v1/validate': `${status} *` });
    });
  }

  test('no answer repeats the token', { skip: process.env.MADANG_REFERENCE ? 'the reference server does' : false }, () => assert.deepEqual(repeating, []));

  test('a good one: 200 on validate with CORS, and in on both paths', async () => {
    const token = rawToken(server, claims({}, { room: roomName('good') }));
    for (const path of [v0(token), v1(token), v1(token, joinRequest({ zip: true }))]) {
      const check = await fetch(server.url + path.replace('?', '/validate?'), { headers: { origin: 'https://elsewhere.test' } });
      assert.equal(`${check.status} ${check.headers.get('access-control-allow-origin')} ${await check.text()}`, '200 * success');
      admitted(await knock(path, { ms: 5000, joinOnly: true }), path.split('?')[0]);
    }
  });

  test('the header counts before the query, and a bad header is not made good by it', async () => {
    const [good, bad] = [rawToken(server, claims()), rawToken(server, claims(), { secret: 'another secret' })];
    const ask = async (header, query) => (await fetch(`${server.url}/rtc/validate?protocol=17${query ? `&access_token=${query}` : ''}`, { headers: { authorization: `Bearer ${header}` } })).status;
    assert.deepEqual([await ask(good), await ask(good, bad), await ask(bad, good)], [200, 200, 401]);
  });

  test('a token for room A is nothing in room B', async () => {
    const ask = async (video) => {
      const token = rawToken(server, { sub: 'anna', exp: nowSeconds() + 60, video });
      const response = await fetch(`${server.url}/twirp/livekit.RoomService/ListParticipants`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: '{"room":"b"}' });
      return `${response.status} ${(await response.json()).code}`;
    };
    assert.equal(await ask({ roomAdmin: true, room: 'a' }), '401 unauthenticated');
    assert.equal(await ask({ roomAdmin: true }), '401 unauthenticated');
    assert.equal(await ask({ roomJoin: true, room: 'b' }), '401 unauthenticated');
  });
});

describe('the join request', () => {
  const token = () => rawToken(server, claims({}, { room: roomName('join') }));
  const bomb = () => Buffer.from(new WrappedJoinRequest({ compression: 1, joinRequest: gzipSync(Buffer.alloc(32 * MIB)) }).toBinary()).toString('base64url');
  const requests = {
    'is missing': () => `/rtc/v1?access_token=${token()}`,
    'is no base64': () => v1(token(), '%%%'),
    'is no protobuf': () => v1(token(), Buffer.alloc(40, 0xff).toString('base64')),
    'is no gzip though it says so': () => v1(token(), Buffer.from(new WrappedJoinRequest({ compression: 1, joinRequest: Buffer.from('not gzip') }).toBinary()).toString('base64url')),
    'blows up when inflated (32 MiB)': () => v1(token(), bomb()),
  };
  for (const [what, path] of Object.entries(requests)) test(`${what}: 400`, async () => assert.equal((await knock(path())).status, 400));
});

describe('after the join', () => {
  const request = (message) => Buffer.from(new SignalRequest({ message }).toBinary());
  const sdp = (text, type = 'offer') => request({ case: type, value: new SessionDescription({ type, sdp: text, id: 1 }) });
  const pastes = {
    'bytes that are no protobuf': () => Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
    'an empty message': () => Buffer.alloc(0),
    'three MiB of zeros': () => Buffer.alloc(3 * MIB),
    'text that is no JSON': () => 'hello',
    'an offer that is no SDP': () => sdp('this is no SDP'),
    'an offer of 1 MiB that is no SDP': () => sdp(`v=0\r\n${'a'.repeat(MIB)}`),
    'an offer of 1 MiB of media sections': () => sdp(`v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n${'m=video 9 UDP/TLS/RTP/SAVPF 96\r\n'.repeat(MIB / 34)}`),
    'an offer cut in the middle': () => sdp('v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RT'),
    'an answer nobody asked for': () => sdp('v=0\r\n', 'answer'),
    'a candidate that is none': () => request({ case: 'trickle', value: { candidateInit: '{"candidate":"hello"}', target: 0 } }),
    'a candidate that is no JSON': () => request({ case: 'trickle', value: { candidateInit: '{{{{', target: 1 } }),
    'a track with a name of 1 MiB': () => request({ case: 'addTrack', value: { cid: 'c', name: 'x'.repeat(MIB), type: 0 } }),
    'a thousand tracks': () => Array.from({ length: 1000 }, (_, i) => request({ case: 'addTrack', value: { cid: `c${i}`, name: 'n', type: i % 2 } })),
    'a subscription to a thousand tracks that are not': () => request({ case: 'subscription', value: { trackSids: Array.from({ length: 1000 }, (_, i) => `TR_${i}`), subscribe: true } }),
    'a mute of a track that is not': () => request({ case: 'mute', value: { sid: 'TR_none', muted: true } }),
    'metadata of 1 MiB': () => request({ case: 'updateMetadata', value: { metadata: 'x'.repeat(MIB), requestId: 1 } }),
  };
  const answers = {};
  for (const [path, door] of [['/rtc', v0], ['/rtc/v1', v1]]) {
    for (const [what, make] of Object.entries(pastes)) {
      test(`${path}: ${what}: the sender is told or put out, nobody else minds`, async () => {
        const room = roomName('bad');
        const began = Date.now();
        const { messages, closed, status } = await knock(door(rawToken(server, claims({}, { room, canUpdateOwnMetadata: true }))), { then: () => [make()].flat(), ms: 1200 });
        assert.equal(messages?.[0]?.case, 'join', `got ${status}`);
        const told = messages.slice(1).map((message) => message.case);
        answers[`${path} ${what}`] = `${[...new Set(told.filter((each) => ['leave', 'requestResponse', 'subscriptionResponse', 'trackPublished'].includes(each)))].join(' ')} ${closed ?? 'open'}`.trim();
        assert.equal(await health(server.url), 200);
        spans.push({ what: `${path} ${what}`, from: began, to: Date.now() });
        // The same person comes back at once and is let in: nothing of the bad session stands in the way.
        admitted(await knock(door(rawToken(server, claims({}, { room }))), { ms: 5000, joinOnly: true }), 'coming back');
      });
    }
  }
  test('a gigabyte is not read', async () => {
    const { messages, closed } = await knock(v0(rawToken(server, claims({}, { room: roomName('big') }))), { then: () => [Buffer.alloc(32 * MIB)], ms: 4000 });
    assert.equal(messages[0].case, 'join');
    assert.notEqual(closed, undefined, 'a message of 32 MiB closes the socket');
  });
  after(() => {
    for (const [what, answer] of Object.entries(answers)) console.log(`  ${what}: ${answer}`);
  });
});

test('plain requests to the socket’s paths', async () => {
  const token = rawToken(server, claims());
  const status = async (path, init) => (await fetch(server.url + path, init)).status;
  assert.equal(await status(v0(token)), 404);
  assert.equal(await status(v1(token)), 404);
  assert.equal(await status('//rtc/validate?protocol=17&access_token=' + token), 200);
  assert.equal(await status('/rtc/validate', { method: 'OPTIONS', headers: { origin: 'https://elsewhere.test', 'access-control-request-method': 'GET' } }).then((code) => code === 200 || code === 204), true);
});

test('the call in the next room went on', async () => {
  const end = Date.now();
  assert.equal(await health(server.url), 200);
  const frames = await witness.frames(publisher.identity, started);
  const unreadable = frames.filter((frame) => frame.id < 0).length;
  const times = [started, ...frames.map((frame) => frame.t), end];
  const gaps = times.slice(1).map((t, i) => ({ from: times[i], ms: t - times[i] }));
  const longest = gaps.reduce((worst, gap) => (gap.ms > worst.ms ? gap : worst));
  const during = spans.filter(({ from, to }) => from < longest.from + longest.ms && to > longest.from).map(({ what }) => what);
  const sent = (await publisher.sent()).map((frame) => frame.t).filter((t) => t >= started);
  const pause = Math.max(0, ...sent.slice(1).map((t, i) => t - sent[i]));
  const text = `${frames.length} of ${sent.length} frames in ${((end - started) / 1000).toFixed(0)} s, ${unreadable} unreadable, longest gap ${longest.ms.toFixed(0)} ms (the sender’s own: ${pause.toFixed(0)} ms) ${during.length > 0 ? `during: ${during.join(', ')}` : ''}`;
  console.log(`  witness: ${text}`);
  assert.ok(longest.ms - pause < GAP_MS_MAX, text);
  assert.equal(unreadable, 0);
});

describe('a server with rooms by appointment', { skip: skipUnlessOwned() }, () => {
  let strict;
  before(async () => {
    strict = await startServer({ own: true, env: { MADANG_ROOMS_AUTO_CREATE: 'false' } });
  });
  after(() => strict?.stop());

  test('an unknown room: 404 with the text the SDKs look for', async () => {
    const token = rawToken(strict, claims({}, { room: roomName('unknown') }));
    for (const path of [v0(token), v1(token)]) {
      const check = await fetch(strict.url + path.replace('?', '/validate?'));
      assert.equal(`${check.status} ${check.headers.get('access-control-allow-origin')}`, '404 *');
      assert.match(await check.text(), /requested room does not exist/);
      assert.equal((await knock(path, { target: strict })).status, 404);
    }
  });
});

test('a full room: the next one is refused, those inside stay', async () => {
  const room = roomName('full');
  const created = await fetch(`${server.url}/twirp/livekit.RoomService/CreateRoom`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${rawToken(server, { sub: 'operator', exp: nowSeconds() + 60, video: { roomCreate: true } })}` },
    body: JSON.stringify({ name: room, max_participants: 1 }),
  });
  assert.equal(created.status, 200);
  const inside = knock(v0(rawToken(server, claims({ sub: 'inside' }, { room }))), { ms: 3000 });
  await wait(500);
  for (const door of [v0, v1]) {
    const { status, messages } = await knock(door(rawToken(server, claims({ sub: 'outside' }, { room }))));
    console.log(`  full room: ${status ?? messages.map((message) => message.case)}`);
    assert.equal(status, process.env.MADANG_REFERENCE ? 500 : 403, `a full room answers ${status ?? messages.map((message) => message.case)}`);
  }
  admitted(await inside, 'who was inside');
  assert.equal((await inside).closed, undefined, 'who was inside stays');
});
