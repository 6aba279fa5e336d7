// A media server for programs on kurento-client: the published client steers pipelines and endpoints, kurento-utils in Chromium is on
// their other side.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import WebSocket from 'ws';
import { freeTcpPort, metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { openChromium, sdkPage } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { doorPage } from '../lib/door_pages.mjs';
import { senderOf } from '../lib/marks.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertFramesArrive, assertTone, eventually, wait } from '../lib/measure.mjs';
import { openClient, startApp } from '../peers/door_kurento_app.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const WINDOW_MS = 4000;
const [TONE_HZ, ABSENT_HZ] = [500, 1700];
const [FIRST, SECOND] = [81, 82];
const FIRST_FRAME_MS_MAX = 3000;
const skip = skipUnlessOwned();

let server;
let rpc;
before(async () => {
  if (skip) return;
  const port = await freeTcpPort();
  server = await startServer({ own: true, env: { MADANG_COMPAT_KURENTO_RPC_PORT: String(port) } });
  rpc = `ws://127.0.0.1:${port}/kurento`;
});
after(() => server?.stop());

const openPage = (name, sender) => openChromium({ name, sender, frequencyHz: TONE_HZ, video: videoClip({ sender, ...CLIP }), audio: audioClip({ frequencyHz: TONE_HZ }), flags: ['--ignore-certificate-errors'] });
const ask = (visitor, name, ...args) => visitor.evaluate(({ name: n, args: a }) => window.page[n](...a), { name, args });
const heardBy = (visitor) => visitor.evaluate(() => window.page.heard);
const hears = (visitor, what, find) => eventually(`${visitor.name} hears ${what}`, async () => (await heardBy(visitor)).find(find), { ms: 15_000 });
const accepted = async (visitor, id) => {
  const response = await hears(visitor, `a ${id}`, (message) => message.id === id);
  assert.equal(response.response, 'accepted', JSON.stringify(response));
  return response;
};
const seesSender = (visitor, sender, since = 0, identity = 'presenter') =>
  eventually(`${visitor.name} sees ${sender}`, async () => (await visitor.frames(identity, since)).find((frame) => frame.id >= 0 && senderOf(frame.id) === sender), { ms: 20_000, everyMs: 50 });
const members = () => metricSum(server, 'madang_directory_members');

const pair = (from, to, who, sender, identity = 'presenter') => ({ who, sender, sent: () => from.sent('presenter'), painted: () => to.frames(identity), limits: { sentMin: 25, p90Ms: 500 } });
const framesArrive = async (...pairs) => {
  await wait(1000);
  await assertFramesArrive(pairs, { windowMs: WINDOW_MS });
};

describe('one2many on kurento-client and kurento-utils', { skip }, () => {
  let app;
  let presenter;
  let other;
  let early;
  let late;
  const opened = async (visitor) => {
    await visitor.goto(await doorPage('kurento'));
    await ask(visitor, 'open', app.url);
  };
  before(async () => {
    app = await startApp(rpc);
    presenter = await openPage('presenter', FIRST);
    [early, late] = [await presenter.another({ name: 'viewer' }), await presenter.another({ name: 'late viewer' })];
  });
  after(async () => {
    await app?.close();
    await other?.close();
    await presenter?.close();
  });

  test('a viewer whose offer is answered before it is connected sees and hears the presenter', async () => {
    for (const visitor of [presenter, early]) await opened(visitor);
    await ask(presenter, 'presenter', { dataChannels: true });
    await accepted(presenter, 'presenterResponse');
    await ask(early, 'viewer', { dataChannels: true });
    const { t, sdpAnswer } = await accepted(early, 'viewerResponse');
    assert.match(sdpAnswer, /\r\na=sendonly\r\n/);
    assert.equal(new Set(sdpAnswer.match(/^a=msid:\S+/gm)).size, 1, 'one stream for both tracks');
    const first = await seesSender(early, FIRST);
    console.log(`  first frame ${(first.t - t).toFixed(0)} ms after the answer`);
    assert.ok(first.t - t < FIRST_FRAME_MS_MAX);
    await framesArrive(pair(presenter, early, 'presenter -> viewer', FIRST));
    await ask(early, 'listen');
    console.log(`  ${assertTone(await early.hear('presenter', [TONE_HZ, ABSENT_HZ]), TONE_HZ, ABSENT_HZ, 'viewer')}`);
  });

  test('a late viewer sees a first frame within three seconds, and the early one goes on', async () => {
    await opened(late);
    await ask(late, 'viewer', { dataChannels: true });
    const { t } = await accepted(late, 'viewerResponse');
    const first = await seesSender(late, FIRST);
    console.log(`  first frame ${(first.t - t).toFixed(0)} ms after the answer`);
    assert.ok(first.t - t < FIRST_FRAME_MS_MAX);
    await framesArrive(pair(presenter, late, 'presenter -> late viewer', FIRST), pair(presenter, early, 'presenter -> viewer', FIRST));
    const names = app.seen.map(({ name }) => name);
    assert.ok(names.filter((name) => name === 'IceGatheringDone').length === 3 && !names.includes('Error'), JSON.stringify(app.seen));
    const states = app.seen.filter(({ name }) => name === 'ConnectionStateChanged').map(({ event }) => event.newState);
    assert.deepEqual(states, ['CONNECTED', 'CONNECTED', 'CONNECTED']);
    const flows = (direction) => app.seen.filter(({ name }) => name === `MediaFlow${direction}StateChanged`).map(({ event }) => `${event.mediaType} ${event.state}`).sort();
    assert.deepEqual(flows('Out'), ['AUDIO FLOWING', 'VIDEO FLOWING'], 'the presenter’s');
    assert.deepEqual(flows('In'), ['AUDIO FLOWING', 'AUDIO FLOWING', 'VIDEO FLOWING', 'VIDEO FLOWING'], 'those of both viewers');
  });

  test('data goes along the connections, from the presenter to the viewers', async () => {
    for (const visitor of [presenter, early, late]) await hears(visitor, 'its channel open', ({ id }) => id === 'data open');
    await ask(presenter, 'sendData', 'hello viewers');
    for (const visitor of [early, late]) assert.equal((await hears(visitor, 'data', ({ id }) => id === 'data')).data, 'hello viewers');
    await ask(early, 'sendData', 'nobody is connected to me');
    await wait(500);
    assert.ok(!(await heardBy(presenter)).some(({ id }) => id === 'data'));
  });

  test('a released viewer is gone, and the other one goes on', async () => {
    const before = await members();
    await ask(late, 'stop');
    await eventually('one member less', async () => (await members()) === before - 1);
    const since = Date.now();
    await seesSender(early, FIRST, since);
    await late.close();
  });

  test('connected to a second presenter it sees that one on the same connection, and then the first again', async () => {
    // Not before it is needed: browsers share few cores.
    other = await openPage('second presenter', SECOND);
    await opened(other);
    await ask(other, 'presenter', {}, { name: 'second' });
    await accepted(other, 'presenterResponse');
    for (const [name, sender, from] of [['second', SECOND, other], ['first', FIRST, presenter]]) {
      const since = Date.now();
      await app.connectFirstViewer(name);
      const first = await seesSender(early, sender, since);
      console.log(`  ${name}: first frame ${(first.t - since).toFixed(0)} ms after connect`);
      assert.ok(first.t - since < FIRST_FRAME_MS_MAX);
      await framesArrive(pair(from, early, `${name} presenter -> viewer`, sender));
      const foreign = (await early.frames('presenter', first.t)).filter((frame) => frame.id >= 0 && senderOf(frame.id) !== sender);
      assert.equal(foreign.length, 0, 'nothing of the other one after the first frame');
    }
    assert.equal((await heardBy(early)).filter(({ id }) => id === 'viewerResponse').length, 1, 'one answer for all of it');
    await other.close();
    other = undefined;
  });

  test('disconnected it sees nothing, connected again it goes on', async () => {
    await app.disconnectFirstViewer('first');
    await wait(1500);
    const silent = Date.now();
    await wait(1500);
    assert.equal((await early.frames('presenter', silent)).length, 0);
    const since = Date.now();
    await app.connectFirstViewer('first');
    const first = await seesSender(early, FIRST, since);
    console.log(`  first frame ${(first.t - since).toFixed(0)} ms after connect`);
    await framesArrive(pair(presenter, early, 'presenter -> viewer', FIRST));
  });

  test('a second offer, an object that is gone and a method that is none are refused in the words of the original', async () => {
    const { endpoint } = app.presenter();
    const refused = async (work) => {
      try {
        await work;
      } catch (error) {
        return { kind: error.constructor.name, code: error.code, type: error.data?.type, message: error.message };
      }
      return 'not refused';
    };
    assert.deepEqual(await refused(app.ask(endpoint, 'processOffer', 'v=0')), { kind: 'Error', code: 40208, type: 'SDP_END_POINT_ALREADY_NEGOTIATED', message: 'Endpoint already negotiated' });
    assert.deepEqual(await refused(app.ask(app.client, 'getMediaobjectById', 'nobody')), { kind: 'ReferenceError', code: 40101, type: 'MEDIA_OBJECT_NOT_FOUND', message: "Object 'nobody' not found" });
    assert.deepEqual(await refused(app.ask(endpoint, 'getStats')), { kind: 'SyntaxError', code: 40105, type: 'MEDIA_OBJECT_METHOD_NOT_FOUND', message: "Method 'getStats' with 0 parameters not found" });
  });

  test('what strangers say ends nobody’s session', async () => {
    const garbage = ['close', '', '{', '[]', 'null', '{"jsonrpc":"2.0","id":{},"method":7}', '{"jsonrpc":"2.0","id":1,"method":"invoke","params":{"object":null}}', `{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(200_000)}"}`, 'x'.repeat(300_000), '['.repeat(5000)];
    for (const words of garbage) {
      const socket = new WebSocket(rpc);
      await new Promise((done, failed) => {
        socket.once('open', done);
        socket.once('error', failed);
      });
      const answer = new Promise((done) => {
        socket.once('message', (text) => done(JSON.parse(text)));
        socket.once('close', () => done({ error: { code: 'closed' } }));
      });
      socket.send(words);
      const { error } = await answer;
      assert.ok(error, `an error for ${words.slice(0, 50)}`);
      socket.terminate();
    }
    const since = Date.now();
    await seesSender(early, FIRST, since);
  });

  test('when the presenter stops everything is gone, and it can begin again', async () => {
    await ask(presenter, 'stop');
    await hears(early, 'the end', ({ id }) => id === 'stopCommunication');
    await eventually('nobody is left', async () => (await members()) === 0);
    // And again, on the same client.
    const known = (await heardBy(presenter)).length;
    await ask(presenter, 'presenter', { dataChannels: true });
    await eventually('it presents again', async () => (await heardBy(presenter)).slice(known).some(({ response }) => response === 'accepted'));
  });
});

describe('hello world: an endpoint that is connected to itself', { skip }, () => {
  test('the page sees itself by way of the server', async () => {
    const app = await startApp(rpc);
    const page = await openPage('alone', FIRST);
    try {
      await page.goto(await doorPage('kurento'));
      await ask(page, 'open', app.url);
      await ask(page, 'start');
      await accepted(page, 'startResponse');
      await seesSender(page, FIRST, 0, 'self');
      await framesArrive(pair(page, page, 'a page -> itself', FIRST, 'self'));
    } finally {
      await page.close();
      await app.close();
    }
    await eventually('nobody is left', async () => (await members()) === 0);
  });
});

describe('a pipeline in a room that others share', { skip }, () => {
  test('a LiveKit participant sees the presenter of `?room=`', async () => {
    const room = roomName('kurento');
    const app = await startApp(`${rpc}?room=${room}`);
    const presenter = await openPage('presenter', FIRST);
    try {
      const participant = await presenter.another({ name: 'participant' });
      await participant.goto(await sdkPage());
      participant.identity = 'participant';
      await participant.sdk('connect', { url: server.socketUrl, token: await joinToken(server, { room, identity: 'participant' }) });
      await presenter.goto(await doorPage('kurento'));
      await ask(presenter, 'open', app.url);
      await ask(presenter, 'presenter', { dataChannels: true });
      await accepted(presenter, 'presenterResponse');
      const frames = () => participant.evaluate(() => [...window.__e2e.logs.entries()].filter(([key]) => !key.startsWith('participant/')).flatMap(([, log]) => log.frames));
      const first = await eventually('a first frame', async () => (await frames()).find((frame) => frame.id >= 0), { ms: 20_000 });
      assert.equal(senderOf(first.id), FIRST);
      await hears(presenter, 'its channel open', ({ id }) => id === 'data open');
      await ask(presenter, 'sendData', 'hello room');
      const got = await eventually('the participant has the data', async () => (await participant.evaluate(() => window.sdk.received.data)).find(({ text }) => text === 'hello room'));
      console.log(`  ${(await frames()).length} frames, data by topic ${got.topic}`);
    } finally {
      await presenter.close();
      await app.close();
    }
  });
});

describe('the client’s line', { skip }, () => {
  test('a client that comes back is told that its session is over', async () => {
    const { client, line } = await openClient(rpc);
    try {
      const create = () => new Promise((done, failed) => client.create('MediaPipeline', (error, pipeline) => (error ? failed(error) : done(pipeline.id))));
      const before = await create();
      const again = new Promise((done) => line.once('reconnected', done));
      line._re.cut();
      assert.equal(await again, false);
      assert.notEqual(await create(), before);
    } finally {
      client.close();
    }
  });
});
