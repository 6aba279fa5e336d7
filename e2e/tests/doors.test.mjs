// The doors for older programs, driven by those programs: their published packages and the messages that their descriptions print.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import WebSocket from 'ws';
import { freeTcpPort, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { openChromium, sdkPage } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { doorPage } from '../lib/door_pages.mjs';
import { ProcessPeer } from '../lib/peers.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertFramesArrive, assertTone, eventually, wait } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const WINDOW_MS = 4000;
const TONE_HZ = 500;
const ABSENT_HZ = 1700;
const FIRST_FRAME_MS_MAX = 3000;

// Clients that only sit there, from the first test to the last: each kind's heartbeats must be answered in its own way.
const IDLE_MS_MIN = 40_000;
const idle = [];
let idleSince;
const sitDown = async () => {
  for (const [version, transports] of [[2, ['polling']], [2, undefined], [4, ['polling']], [4, ['websocket']]]) {
    const person = new ProcessPeer('many', {});
    idle.push({ person, name: `socket.io-client ${version} by ${transports ?? 'both'}` });
    await person.call('connect', { url: `http://127.0.0.1:${ports.sfu}`, version, room: 'idle', transports });
  }
  const person = new ProcessPeer('signalling', {});
  idle.push({ person, name: 'python-socketio' });
  await person.call('connect', { url: `http://127.0.0.1:${ports.signalling}`, token: 'SIGNALING123', peerId: 'idle' });
  idleSince = Date.now();
};

// Every program and every server has something to do at this process's end.
process.setMaxListeners(64);
const skip = skipUnlessOwned();

let server;
const ports = {};
before(async () => {
  if (skip) return;
  for (const program of ['spider', 'kurento', 'signalling', 'sfu']) ports[program] = await freeTcpPort();
  const env = Object.fromEntries(Object.entries(ports).map(([program, port]) => [`MADANG_COMPAT_${program.toUpperCase()}_PORT`, String(port)]));
  server = await startServer({ own: true, env });
  await sitDown();
});
after(async () => {
  for (const { person } of idle) await person.close();
  await server?.stop();
});

const figuresOf = async (from, who, { frames, sender, share = 0.9 }) => {
  await wait(1000);
  await assertFramesArrive([{ who, sent: () => from.sent(), painted: frames, sender, limits: { sentMin: 25, p90Ms: 500, share } }], { windowMs: WINDOW_MS });
};

for (const [aiortc, environment] of [['aiortc 1.16', undefined], ['aiortc 1.9', '.venv-aiortc-1.9']]) {
  describe(`Spider: rtcbot on ${aiortc}`, { skip }, () => {
    const programs = [];
    const url = () => `wss://127.0.0.1:${ports.spider}`;
    const open = async (args) => {
      const program = new ProcessPeer('spider', { environment });
      programs.push(program);
      await program.ready;
      program.joined = await program.call('connect', { url: url(), ...args });
      return program;
    };
    const answered = (program) => eventually('an answer', async () => (await program.call('heard')).words.some(({ type }) => type === 'answer'));
    const firstFrame = (program, ms = 20_000) => eventually('a first frame', async () => (await program.call('frames')).find((frame) => frame.id >= 0), { ms, everyMs: 50 });
    const channel = roomName('spider');
    let publisher;
    let early;
    after(async () => {
      for (const program of programs) await program.close();
    });

    test('a subscriber that came first gets the publisher’s pictures', async () => {
      early = await open({ role: 'sub', channel, video: true });
      publisher = await open({ role: 'pub', channel, query: '&brate=800&ktime=100', servers: true, camera: { sender: 41, ...CLIP } });
      await answered(publisher);
      await firstFrame(early);
      await figuresOf({ sent: () => publisher.call('sent') }, `rtcbot -> rtcbot on ${aiortc}`, { sender: 41, frames: () => early.call('frames') });
    });

    test('a late subscriber sees a first frame within three seconds', async () => {
      const late = await open({ role: 'sub', channel, video: true });
      await answered(late);
      const { t } = (await late.call('heard')).words.find(({ type }) => type === 'answer');
      const first = await firstFrame(late);
      console.log(`  first frame ${(first.t - t).toFixed(0)} ms after the answer`);
      assert.ok(first.t - t < FIRST_FRAME_MS_MAX, `the first frame came ${first.t - t} ms after the answer`);
      await late.call('leave');
    });

    test('data goes from the publisher to all and from a subscriber to the publisher, by label, untouched', async () => {
      const other = await open({ role: 'sub', channel, video: false });
      await answered(other);
      const metric = { ir: { key: 'detectTime', value: 0.5 } };
      const motion = { motion: { key: 'forward', value: 3 } };
      const has = (program, label, message) => async () => (await program.call('received')).some((each) => each.label === label && JSON.stringify(each.message) === JSON.stringify(message));
      // The channels of the newcomer open in their own time.
      await eventually('both subscribers have the metric', async () => {
        await publisher.call('put', { label: 'metric', message: metric });
        return (await has(early, 'metric', metric)()) && (await has(other, 'metric', metric)());
      }, { ms: 15_000, everyMs: 300 });
      await other.call('put', { label: 'stream', message: motion });
      await eventually('the publisher has the motion', has(publisher, 'stream', motion));
      await early.call('put', { label: 'metric', message: 'hi metric' });
      await eventually('the publisher has the text', has(publisher, 'metric', 'hi metric'));
      await wait(500);
      const [first, second, third] = await Promise.all([early, other, publisher].map((program) => program.call('received')));
      assert.ok(!first.some(({ label }) => label === 'stream') && !second.some(({ label }) => label === 'stream'), 'no subscriber hears another subscriber');
      assert.ok(!third.some(({ message }) => message?.ir), 'the publisher does not hear itself');
      console.log(`  ${first.length} and ${second.length} messages down, ${third.length} up`);
      await other.call('leave');
    });

    test('a second publisher is refused in a word it can read, and the first goes on', async () => {
      const second = await open({ role: 'pub', channel, camera: { sender: 42, ...CLIP } });
      const heard = await eventually('the refusal', async () => {
        const now = await second.call('heard');
        return now.closed && now;
      });
      assert.deepEqual(heard.words.map(({ type }) => type), ['error'], JSON.stringify(heard));
      const since = Date.now();
      await eventually('the first publisher’s frames go on', async () => (await early.call('frames', { since })).length > 5);
      console.log(`  ${heard.words[0].data}`);
    });

    test('joins tells the publisher how many watch', async () => {
      const joins = (await publisher.call('heard')).words.filter(({ type }) => type === 'joins').map(({ data }) => data);
      console.log(`  joins: ${joins.join(' ')}`);
      assert.ok(joins.length >= 3 && joins.every((data) => /^\d+$/.test(data)), `joins: ${JSON.stringify(joins)}`);
    });
  });
}

const openPages = async (sender) => {
  const first = await openChromium({ name: 'first', sender, frequencyHz: TONE_HZ, video: videoClip({ sender, ...CLIP }), audio: audioClip({ frequencyHz: TONE_HZ }), flags: ['--ignore-certificate-errors'] });
  return [first, await first.another({ name: 'second' })];
};
// Functions of the page by name.
const ask = (visitor, name, ...args) => visitor.evaluate(({ name: n, args: a }) => window.page[n](...a), { name, args });
const heardBy = (visitor) => visitor.evaluate(() => window.page.heard);
const hears = (visitor, what, find) => eventually(`${visitor.name} hears ${what}`, async () => (await heardBy(visitor)).find(find), { ms: 15_000 });

for (const [path, busy, idle] of [
  ['/one2many', 'Another user is currently acting as presenter. Try again later ...', 'No active presenter. Try again later...'],
  ['/call', 'Another user is currently acting as sender. Try again later ...', 'No active sender now. Become sender or . Try again later ...'],
]) {
  describe(`Kurento's tutorial: kurento-utils at ${path}`, { skip }, () => {
    let presenter;
    let viewer;
    const room = roomName('kurento');
    const opened = async (visitor) => {
      await visitor.goto(await doorPage('kurento'));
      await ask(visitor, 'open', `wss://127.0.0.1:${ports.kurento}${path}?room=${room}`);
    };
    before(async () => {
      [presenter, viewer] = await openPages(51);
    });
    after(() => presenter?.close());

    test('a viewer without a presenter is told so', async () => {
      await opened(viewer);
      await ask(viewer, 'viewer');
      const { response, message } = await hears(viewer, 'the answer', ({ id }) => id === 'viewerResponse');
      assert.deepEqual({ response, message }, { response: 'rejected', message: idle });
    });

    test('the viewer sees and hears the presenter', async () => {
      await opened(presenter);
      await opened(viewer);
      await ask(presenter, 'presenter', { dataChannels: true });
      await hears(presenter, 'that it presents', ({ id, response }) => id === 'presenterResponse' && response === 'accepted');
      const start = Date.now();
      await ask(viewer, 'viewer', { dataChannels: true });
      const first = await eventually('a first frame', async () => (await viewer.frames('presenter')).find(({ id }) => id >= 0), { ms: 20_000, everyMs: 50 });
      const { t } = await hears(viewer, 'that it views', ({ id }) => id === 'viewerResponse');
      console.log(`  first frame ${(first.t - t).toFixed(0)} ms after the answer, ${(first.t - start).toFixed(0)} ms after the wish`);
      assert.ok(first.t - t < FIRST_FRAME_MS_MAX);
      await figuresOf({ sent: () => presenter.sent('presenter') }, `kurento-utils ${path}`, { sender: 51, frames: () => viewer.frames('presenter') });
      await ask(viewer, 'listen');
      console.log(`  ${assertTone(await viewer.hear('presenter', [TONE_HZ, ABSENT_HZ]), TONE_HZ, ABSENT_HZ, 'viewer')}`);
    });

    test('the presenter’s data reaches the viewer', async () => {
      for (const visitor of [presenter, viewer]) await hears(visitor, 'its channel open', ({ id }) => id === 'data open');
      await ask(presenter, 'sendData', 'hello viewers');
      assert.equal((await hears(viewer, 'data', ({ id }) => id === 'data')).data, 'hello viewers');
    });

    test('a second presenter is refused in the words of the original', async () => {
      const second = await presenter.another({ name: 'third' });
      await opened(second);
      await ask(second, 'presenter');
      const { response, message } = await hears(second, 'the answer', ({ id }) => id === 'presenterResponse');
      assert.deepEqual({ response, message }, { response: 'rejected', message: busy });
      await second.close();
    });

    test('when the presenter stops the viewer is told, and it can present again', async () => {
      await ask(presenter, 'stop');
      await hears(viewer, 'the end', ({ id }) => id === 'stopCommunication');
      await wait(300);
      assert.ok(!(await heardBy(presenter)).some(({ id }) => id === 'stopCommunication'), 'the presenter is not told of itself');
      const before = (await heardBy(presenter)).length;
      await ask(presenter, 'presenter');
      await eventually('it presents again', async () => (await heardBy(presenter)).slice(before).some(({ response }) => response === 'accepted'));
      const known = (await heardBy(viewer)).length;
      await ask(viewer, 'viewer');
      await eventually('it is viewed again', async () => (await heardBy(viewer)).slice(known).some(({ response }) => response === 'accepted'));
      await ask(presenter, 'disconnect');
      await eventually('a lost presenter is an end too', async () => (await heardBy(viewer)).slice(known).some(({ id }) => id === 'stopCommunication'));
    });
  });
}

for (const version of [2, 4]) {
  describe(`the N:M server: socket.io-client ${version} with wrtc`, { skip }, () => {
    const room = roomName('many');
    const people = [];
    const open = async (args) => {
      const person = new ProcessPeer('many', {});
      people.push(person);
      await person.ready;
      person.joined = await person.call('connect', { url: `http://127.0.0.1:${ports.sfu}`, version, room, ...args });
      return person;
    };
    const event = (person, what, find) => eventually(what, async () => (await person.call('events')).find(find), { ms: 15_000 });
    let sender;
    let watcher;
    after(async () => {
      for (const person of people) await person.close();
    });

    test('a watcher is told of who sends already, and sees it', async () => {
      sender = await open({ camera: { sender: 61 + version, ...CLIP } });
      await event(sender, 'the sender’s answer', ({ name }) => name === 'getSenderAnswer');
      assert.deepEqual((await event(sender, 'the list', ({ name }) => name === 'allUsers')).payload, { users: [] });
      await wait(1500);
      watcher = await open({});
      const { payload } = await event(watcher, 'the list', ({ name }) => name === 'allUsers');
      assert.deepEqual(payload, { users: [{ id: sender.joined.socketId }] });
      const identity = sender.joined.socketId;
      await eventually('a first frame', async () => (await watcher.call('frames', { identity })).some(({ id }) => id >= 0), { ms: 20_000 });
      await figuresOf({ sent: () => sender.call('sent') }, `socket.io-client ${version}`, { sender: 61 + version, frames: () => watcher.call('frames', { identity }) });
      const streams = await watcher.call('streams', { identity });
      assert.deepEqual(streams.map(({ kind }) => kind).sort(), ['audio', 'video']);
      assert.equal(new Set(streams.map(({ stream }) => stream)).size, 1, `one stream for both tracks: ${JSON.stringify(streams)}`);
    });

    test('who comes later is announced when its pictures are there, and who goes is announced too', async () => {
      const later = await open({ camera: { sender: 71 + version, ...CLIP }, forged: sender.joined.socketId });
      const identity = later.joined.socketId;
      await event(watcher, 'userEnter', ({ name, payload }) => name === 'userEnter' && payload.id === identity);
      await eventually('a first frame', async () => (await watcher.call('frames', { identity })).some(({ id }) => id >= 0), { ms: 20_000 });
      const since = Date.now();
      await eventually('a forged name took nothing from its owner', async () => (await watcher.call('frames', { identity: sender.joined.socketId, since })).length > 5);
      assert.equal((await sender.call('events')).filter(({ name }) => name === 'getSenderAnswer').length, 1, 'the owner of the name gets no answer of another');
      await later.call('leave');
      await event(watcher, 'userExit', ({ name, payload }) => name === 'userExit' && payload.id === identity);
      const names = (await watcher.call('events')).map(({ name }) => name);
      console.log(`  ${names.join(' ')}`);
    });
  });
}

describe('the counselling page: /ertc', { skip }, () => {
  let expert;
  let member;
  const room = roomName('ertc');
  before(async () => {
    [expert, member] = await openPages(81);
    for (const [visitor, role] of [[expert, 'expert'], [member, 'member']]) {
      const query = `?role=${role}&nick=Kim&id=17`;
      await visitor.goto((await doorPage('ertc')) + query);
      await ask(visitor, 'open', `${server.socketUrl}/ertc${query}&room=${room}`);
      if (role === 'expert') await ask(visitor, 'videoStart');
    }
    await ask(member, 'videoStart');
  });
  after(() => expert?.close());

  test('the pages connect through it', async () => {
    assert.deepEqual(await hears(expert, 'SYS', ({ type }) => type === 'SYS'), { type: 'SYS', nick: 'Kim', msg: '접속', id: '17', sdp: null, label: null, candidate: null });
    for (const visitor of [expert, member]) await eventually('connected', async () => (await ask(visitor, 'state')) === 'connected', { ms: 20_000 });
    await eventually('the member sees the expert', async () => (await member.frames('other')).some(({ id }) => id >= 0), { ms: 15_000 });
    assert.equal(await ask(expert, 'isBlank'), true, 'the expert sees nobody who has not shown himself');
    const { label, id } = await hears(member, 'a candidate', ({ type }) => type === 'candidate');
    console.log(`  connected; a candidate has label ${JSON.stringify(label)}, id ${JSON.stringify(id)}`);
    assert.equal(typeof label, 'string');
  });

  test('the member’s camera on and off', async () => {
    await ask(member, 'send', 'CAM', '', 'on', undefined);
    await eventually('the expert sees the member', async () => (await expert.frames('other')).some(({ id }) => id >= 0), { ms: 15_000 });
    const since = Date.now();
    await eventually('and goes on', async () => (await expert.frames('other', since)).length > 10);
    await ask(member, 'send', 'CAM', '', 'off', undefined);
    await eventually('the expert’s picture is blank', () => ask(expert, 'isBlank'));
    console.log(`  ${(await expert.frames('other')).length} frames between on and off`);
  });

  test('the document goes both ways, as it is', async () => {
    const text = `<p>상담 "기록" &amp; ${'가'.repeat(20_000)}</p>`;
    await ask(member, 'send', 'TXT', '', text);
    await eventually('the expert’s document', async () => (await ask(expert, 'edit')) === text);
    await ask(expert, 'send', 'TXT', '', 'short');
    await eventually('the member’s document', async () => (await ask(member, 'edit')) === 'short');
    console.log(`  ${Buffer.byteLength(text)} bytes there, 5 back`);
  });

  test('a picture is stored and both are told its name', async () => {
    const picture = [...Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), ...Array.from({ length: 50_000 }, (_, i) => i % 251)];
    await ask(member, 'picture', picture);
    const { msg } = await hears(member, 'FILE2', ({ type }) => type === 'FILE2');
    assert.equal((await hears(expert, 'FILE2', ({ type }) => type === 'FILE2')).msg, msg);
    const response = await fetch(`${server.url}/resources/upload_images/${msg}`);
    assert.equal(response.headers.get('content-type'), 'image/png');
    assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], picture);
    console.log(`  ${picture.length} bytes as ${msg}`);
  });

  test('the member’s end and the expert’s end', async () => {
    await ask(member, 'send', 'MEMEND', 'member', '유저 종료');
    await hears(expert, 'MEMEND', ({ type }) => type === 'MEMEND');
    await ask(expert, 'send', 'END', '전문가', '종료');
    await hears(member, 'END', ({ type }) => type === 'END');
    const errors = [...(await heardBy(expert)), ...(await heardBy(member))].filter(({ type }) => type === 'ERROR' || type === 'page error');
    assert.deepEqual(errors, []);
  });
});

describe('the signalling server: socket.io-client 4 and python-socketio 5', { skip }, () => {
  const people = [];
  const open = async (kind, peerId, more = {}) => {
    const person = new ProcessPeer(kind, {});
    people.push(person);
    await person.ready;
    person.joined = await person.call('connect', { url: `http://127.0.0.1:${ports.signalling}`, token: 'SIGNALING123', peerId, ...more });
    return person;
  };
  const messages = async (person) => (await person.call('received')).events.filter(({ name }) => name === 'message').map(({ payload }) => payload);
  const message = (person, what, find) => eventually(what, async () => (await messages(person)).find(find));
  const listed = async () => (await (await fetch(`http://127.0.0.1:${ports.signalling}/connections`)).json()).filter(({ peerId }) => peerId !== 'idle');
  let python;
  let node;
  after(async () => {
    for (const person of people) await person.close();
  });

  test('peers are introduced to each other', async () => {
    python = await open('signalling', 'pythonPeer');
    const first = await message(python, 'its own introduction', ({ from }) => from === 'all');
    const present = first.payload.connections;
    assert.deepEqual(present.map(({ peerId }) => peerId), ['idle']);
    assert.deepEqual(first, { from: 'all', target: 'pythonPeer', payload: { action: 'open', connections: present, bePolite: false } });
    node = await open('peers', 'nodePeer', { peerType: 'admin', impatient: { early: true } });
    const { payload } = await message(node, 'its introduction', ({ from }) => from === 'all');
    assert.deepEqual([payload.bePolite, payload.connections.map(({ peerId }) => peerId).sort()], [false, ['idle', 'pythonPeer']]);
    assert.equal(payload.connections.find(({ peerId }) => peerId === 'pythonPeer').socketId, python.joined.socketId);
    const newcomer = await message(python, 'the newcomer', ({ from, payload: inner }) => from === 'nodePeer' && inner.action === 'open');
    assert.equal(newcomer.target, 'all');
    assert.equal(newcomer.payload.bePolite, true);
    assert.deepEqual(newcomer.payload.connections.map(({ peerId, peerType }) => [peerId, peerType]), [['nodePeer', 'admin']]);
    assert.deepEqual((await message(python, 'what was said before ready was done', ({ payload: inner }) => inner.early)).payload, { early: true });
    console.log(`  ${JSON.stringify(newcomer)}`);
  });

  test('who is there can be fetched', async () => {
    const rows = await listed();
    assert.deepEqual(rows.map(({ peerId }) => peerId).sort(), ['nodePeer', 'pythonPeer']);
    assert.deepEqual(rows.find(({ peerId }) => peerId === 'nodePeer'), { socketId: node.joined.socketId, peerId: 'nodePeer', peerType: 'admin' });
    console.log(`  ${JSON.stringify(rows)}`);
  });

  test('an offer and an answer go through it, and the peers talk', async () => {
    const start = Date.now();
    await node.call('offer', { to: 'pythonPeer' });
    console.log(`  the channel is open after ${Date.now() - start} ms`);
    await node.call('say', { text: 'hello' });
    await eventually('the echo', async () => (await node.call('received')).texts.includes('pythonPeer got hello'));
    assert.deepEqual((await python.call('received')).errors, []);
  });

  test('to all, to one, to nobody, and nothing at all', async () => {
    const third = await open('peers', 'third');
    await third.call('emit', { event: 'message', payload: { from: 'pythonPeer', target: 'all', payload: { n: 1 } } });
    await third.call('emit', { event: 'messageOne', payload: { from: 'third', target: 'nobody', payload: { n: 2 } } });
    await third.call('emit', { event: 'messageOne' });
    await third.call('emit', { event: 'messageOne', payload: { from: 'third', target: 'nodePeer', message: { n: 3 } } });
    const toOne = await message(node, 'what is for it alone', ({ message: inner }) => inner?.n === 3);
    assert.deepEqual(toOne, { from: 'third', target: 'nodePeer', message: { n: 3 } });
    for (const person of [python, node]) assert.equal((await message(person, 'what is for all', ({ payload }) => payload?.n === 1)).from, 'third', 'nobody speaks in the name of another');
    assert.ok(!(await messages(python)).some(({ message: inner }) => inner?.n === 3));
    await third.call('leave');
    const gone = await message(python, 'the end of third', ({ from, payload }) => from === 'third' && payload?.action === 'close');
    assert.deepEqual(gone, { from: 'third', target: 'all', payload: { action: 'close', message: 'Peer has left the signaling server' } });
    assert.deepEqual((await listed()).map(({ peerId }) => peerId).sort(), ['nodePeer', 'pythonPeer']);
    console.log(`  ${(await messages(node)).length} messages`);
  });

  for (const kind of ['peers', 'signalling']) {
    test(`a name that is taken and a token that is wrong: ${kind === 'peers' ? 'JavaScript' : 'Python'}`, async () => {
      const second = await open(kind, 'nodePeer');
      const { events } = await eventually('the refusal', async () => {
        const received = await second.call('received');
        return received.events.some(({ name }) => name === 'disconnect') && received;
      });
      assert.deepEqual(events[0], { name: 'uniquenessError', payload: { message: 'nodePeer is already connected to the signalling server. Please change your peer ID and try again.' } });
      const stranger = await open(kind, 'stranger', { token: 'wrong' });
      console.log(`  ${events.map(({ name, payload }) => `${name} ${JSON.stringify(payload)}`).join(', ')}; ${JSON.stringify(stranger.joined)}`);
      assert.ok(stranger.joined.error, JSON.stringify(stranger.joined));
      if (kind === 'peers') assert.equal(stranger.joined.error, 'Authentication error');
      assert.equal((await listed()).length, 2, 'the first holder stays');
    });
  }
});

describe('one room, several doors', { skip }, () => {
  const room = roomName('doors');
  const programs = [];
  let viewer;
  let participant;
  let subscriber;
  let publisher;
  after(async () => {
    for (const program of programs) await program.close();
    await viewer?.close();
  });

  test('Spider’s publisher is seen by its subscriber, by a Kurento viewer, by an N:M watcher and by LiveKit participants in a browser and in Python', async () => {
    for (let i = 0; i < 2; i += 1) programs.push(new ProcessPeer('spider', {}));
    [publisher, subscriber] = programs;
    const url = `wss://127.0.0.1:${ports.spider}`;
    [viewer, participant] = await openPages(92);
    await publisher.call('connect', { url, role: 'pub', channel: room, camera: { sender: 91, ...CLIP } });
    await subscriber.call('connect', { url, role: 'sub', channel: room, video: true });
    await viewer.goto(await doorPage('kurento'));
    await ask(viewer, 'open', `wss://127.0.0.1:${ports.kurento}/one2many?room=${room}`);
    await ask(viewer, 'viewer', { dataChannels: true });
    const watcher = new ProcessPeer('many', {});
    programs.push(watcher);
    await watcher.call('connect', { url: `http://127.0.0.1:${ports.sfu}`, version: 4, room });
    await participant.goto(await sdkPage());
    participant.identity = 'participant';
    await participant.sdk('connect', { url: server.socketUrl, token: await joinToken(server, { room, identity: 'participant' }) });
    const python = new ProcessPeer('python', { identity: 'python' });
    programs.push(python);
    await python.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: 'python' }), single: true });
    const watchers = {
      'Spider subscriber': () => subscriber.call('frames'),
      'Kurento viewer': () => viewer.frames('presenter'),
      'N:M watcher': () => watcher.call('frames', { identity: 'publisher' }),
      'LiveKit participant, a browser': () => framesOfAny(participant),
      'LiveKit participant, Python': () => python.frames('publisher'),
    };
    for (const [name, frames] of Object.entries(watchers)) await eventually(`${name} has a first frame`, async () => (await frames()).some(({ id }) => id >= 0), { ms: 20_000 });
    await Promise.all(Object.entries(watchers).map(([name, frames]) => figuresOf({ sent: () => publisher.call('sent') }, `rtcbot -> ${name}`, { sender: 91, frames, share: 0.8 })));
  });

  test('data of the publisher and of the participant goes through all doors that have data', async () => {
    await publisher.call('put', { label: 'metric', message: { n: 1 } });
    const got = await eventually('the participant has the metric', async () => (await participant.evaluate(() => window.sdk.received.data)).find(({ topic }) => topic === 'metric'));
    assert.equal(got.text, '{"n": 1}');
    assert.equal(got.from, 'publisher');
    await participant.evaluate(() => window.__madang.room.localParticipant.publishData(new TextEncoder().encode('{"n":2}'), { reliable: true, topic: 'stream' }));
    await eventually('the publisher has it', async () => (await publisher.call('received')).some(({ label, message }) => label === 'stream' && message.n === 2));
    console.log(`  ${JSON.stringify(got)}`);
  });

  test('what strangers say through any door ends nobody’s session', async () => {
    const garbage = ['close', '', '{', '[]', 'null', '{"type":7}', '{"id":{}}', '{"id":"viewer","sdpOffer":7}', '{"type":"offer","data":"v=0"}', '42["messageOne"]', `{"type":"TXT","msg":"${'x'.repeat(100_000)}"}`, '['.repeat(5000)];
    const doors = [`wss://127.0.0.1:${ports.spider}/live/ws/sub?channel=${room}`, `wss://127.0.0.1:${ports.spider}/live/ws/pub?channel=${room}x`, `wss://127.0.0.1:${ports.kurento}/one2many?room=${room}`, `wss://127.0.0.1:${ports.kurento}/call?room=${room}`, `${server.socketUrl}/ertc?room=${room}`, `ws://127.0.0.1:${ports.sfu}/socket.io/?EIO=4&transport=websocket`, `ws://127.0.0.1:${ports.sfu}/socket.io/?EIO=3&transport=websocket`, `ws://127.0.0.1:${ports.signalling}/socket.io/?EIO=4&transport=websocket`];
    let opened = 0;
    for (const url of doors) {
      for (const text of garbage) {
        const socket = new WebSocket(url, { rejectUnauthorized: false });
        socket.on('error', () => {});
        await new Promise((done) => {
          socket.once('open', done);
          socket.once('close', done);
        });
        if (socket.readyState === WebSocket.OPEN) {
          opened += 1;
          socket.send(text);
          socket.send(Buffer.from(text));
        }
        await wait(30);
        socket.terminate();
      }
    }
    assert.ok(opened >= (doors.length * garbage.length) / 2, `only ${opened} sockets opened`);
    const since = Date.now();
    await eventually('the subscriber’s frames go on', async () => (await subscriber.call('frames', { since })).length > 10);
    await eventually('the viewer’s frames go on', async () => (await viewer.frames('presenter', since)).length > 10);
    console.log(`  ${opened} strangers on ${doors.length} doors`);
  });

  test('the LiveKit participant’s camera reaches a viewer when there is no publisher', async () => {
    await publisher.call('leave');
    await hears(viewer, 'the end', ({ id }) => id === 'stopCommunication');
    await participant.sdk('publishCamera', CLIP);
    await wait(1000);
    const since = Date.now();
    await ask(viewer, 'viewer');
    await eventually('frames of the participant', async () => (await viewer.frames('presenter', since)).some(({ id }) => id >= 0 && Math.floor(id / 65536) === 92), { ms: 20_000 });
  });
});

test('who only sat there is still connected', { skip }, async () => {
  await wait(Math.max(0, idleSince + IDLE_MS_MIN - Date.now()));
  for (const { person, name } of idle) {
    const events = name.startsWith('python') ? (await person.call('received')).events : await person.call('events');
    assert.deepEqual(events.filter((event) => ['disconnect', 'connect_error', 'error'].includes(event.name)), [], name);
  }
  const transports = await Promise.all(idle.slice(0, 4).map(({ person }) => person.call('transport')));
  assert.deepEqual(transports.map(({ transport }) => transport), ['polling', 'websocket', 'polling', 'websocket']);
  console.log(`  ${idle.map(({ name }) => name).join(', ')}: ${((Date.now() - idleSince) / 1000).toFixed(0)} s`);
});

// Under whatever source the page files it.
const framesOfAny = (visitor) => visitor.evaluate(() => [...window.__e2e.logs.entries()].filter(([key]) => key.startsWith('publisher/')).flatMap(([, log]) => log.frames));
