// `madang publish --peers` and `madang subscribe --peers` among peers in the manner of the signalling server's example clients: a page on socket.io-client
// in Chromium, python-socketio with aiortc, and each other.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChromium } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { Program, run } from '../lib/cli.mjs';
import { doorPage } from '../lib/door_pages.mjs';
import { frameOf, readLuma, senderOf } from '../lib/marks.mjs';
import { eventually } from '../lib/measure.mjs';
import { ProcessPeer } from '../lib/peers.mjs';
import { freeTcpPort, freeUdpPort, skipUnlessOwned, startServer } from '../lib/server.mjs';

const skip = skipUnlessOwned();
const TOKEN = 'SIGNALING123';
const CLIP = { width: 480, height: 270, fps: 10 };
const FRAMES_MIN = 20;
const folder = mkdtempSync(join(tmpdir(), 'madang-mesh-'));
const file = (name) => join(folder, name);
const open = [];
let server;
let port;
let browser;

const url = () => `http://127.0.0.1:${port}`;
const as = (name, ...more) => ['--peers', url(), '--token', TOKEN, '--name', name, ...more];

const ffmpeg = (...args) => {
  const { status, stdout, stderr } = spawnSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { maxBuffer: 1 << 28 });
  assert.equal(status, 0, String(stderr));
  return stdout;
};
const VP8 = ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '800k'];
const H264 = ['-c:v', 'libx264', '-profile:v', 'baseline', '-bf', '0', '-b:v', '800k'];
// The clip's marks, encoded with a key frame each second.
const encoded = (name, sender, codec = VP8) => {
  ffmpeg('-i', videoClip({ sender, ...CLIP, seconds: 10 }), '-g', '10', ...codec, file(name));
  return file(name);
};
const marksOf = (path) => {
  const stdout = ffmpeg('-i', path, '-vsync', '0', '-vf', `scale=${CLIP.width}:${CLIP.height}`, '-f', 'rawvideo', '-pix_fmt', 'gray', '-');
  const size = CLIP.width * CLIP.height;
  return Array.from({ length: stdout.length / size }, (_, n) => readLuma(stdout.subarray(n * size, (n + 1) * size), CLIP.width, CLIP.width, CLIP.height));
};
const recorded = (path, sender) => {
  const marks = marksOf(path);
  const own = marks.filter((id) => id >= 0 && senderOf(id) === sender);
  assert.ok(own.length >= FRAMES_MIN, `${own.length} pictures of ${sender}`);
  assert.deepEqual(marks.filter((id) => id >= 0 && senderOf(id) !== sender), [], 'none of another sender');
  const numbers = own.map(frameOf);
  console.log(`  ${own.length} of ${marks.length} pictures with marks`);
  return numbers;
};

const program = (args, options) => {
  const started = new Program(args, options);
  open.push({ close: () => started.stop('SIGKILL') });
  return started;
};
const says = (started, text, times = 1) =>
  eventually(`${started.args[0]} says ${text}`, () => {
    assert.equal(started.child.exitCode, null, started.err);
    return started.count(text) >= times;
  }, { ms: 30_000 });
const python = async (args) => {
  const peer = new ProcessPeer('mesh', {});
  open.push(peer);
  await peer.ready;
  await peer.call('connect', { url: url(), token: TOKEN, ...args });
  return peer;
};
const page = (verb, ...args) => browser.evaluate(({ verb: v, args: a }) => window.page[v](...a), { verb, args });
const inPage = (name) => browser.evaluate((key) => window.__e2e.frames(key, 0), `${name}/camera`);
// Of those with marks of that sender, in the page: enough of them, and one after the other.
const seesAll = async (name, sender) => {
  const frames = await eventually('pictures with marks', async () => {
    const seen = (await inPage(name)).filter(({ id }) => id >= 0 && senderOf(id) === sender);
    return seen.length >= FRAMES_MIN && seen;
  }, { ms: 30_000 });
  const numbers = frames.map(({ id }) => frameOf(id));
  const steps = numbers.filter((number, n) => n > 0 && number === numbers[n - 1] + 1).length;
  assert.ok(steps >= numbers.length * 0.8, `one after the other: ${numbers}`);
};
const heardInPage = () => browser.evaluate(() => window.page.heard);
const pageEnters = async (peerId, camera) => {
  await browser.goto(await doorPage('mesh'));
  await page('connect', { url: url(), token: TOKEN, peerId, camera });
};
const printed = (started, find) => eventually('it is printed', () => started.lines().map((line) => JSON.parse(line)).find(find));
const ends = async (started, signal = 'SIGINT') => assert.deepEqual(await started.stop(signal), { code: 0, signal: null }, started.err);

before(async () => {
  if (skip) return;
  port = await freeTcpPort();
  server = await startServer({ own: true, env: { MADANG_COMPAT_SIGNALLING_PORT: String(port) } });
  browser = await openChromium({ name: 'page', sender: 61, frequencyHz: 440, video: videoClip({ sender: 61, ...CLIP }), audio: audioClip({ frequencyHz: 440 }) });
  open.push(browser);
});
after(async () => {
  for (const each of open) await each.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('with a page in Chromium', { skip }, () => {
  for (const [codec, name, options] of [['VP8', 'page.ivf', VP8], ['H.264', 'page.h264', H264]]) {
    test(`it comes later, offers a channel alone, and sees ${codec}; data both ways`, async () => {
      const robot = program(['publish', ...as('robot'), '--file', encoded(name, 62, options), '--fps', '10', '--loop', '--data', 'chat', '--json']);
      await says(robot, 'nobody else is there');
      await pageEnters('visitor', false);
      await seesAll('robot', 62);
      assert.deepEqual(await printed(robot, ({ text }) => text === 'Hello from visitor'), { from: 'visitor', channel: 'chat', text: 'Hello from visitor' });
      robot.say('{"speed": 7}');
      await eventually('the page hears the line', async () => (await heardInPage()).some(({ from, data }) => from === 'robot' && data === '{"speed": 7}'));
      await page('sayBytes', 'robot', [255, 0]);
      assert.deepEqual(await printed(robot, ({ base64 }) => base64), { from: 'visitor', channel: 'chat', base64: '/wA=' });
      await page('leave');
      await says(robot, 'visitor left');
      await ends(robot);
      assert.deepEqual(browser.console.filter((line) => /error/.test(line)), []);
    });
  }

  test('it is there already: its camera is recorded, and it sees ours', async () => {
    await pageEnters('visitor', true);
    const recorder = program(['subscribe', ...as('recorder'), '--out', file('page-out.ivf'), '--data', 'chat', '--json', '--stats']);
    const robot = program(['publish', ...as('robot', '--with', 'visitor'), '--file', encoded('late.ivf', 63), '--loop']);
    await says(recorder, 'connected to visitor');
    assert.deepEqual(await printed(recorder, () => true), { from: 'visitor', channel: 'chat', text: 'Hello from visitor' });
    await seesAll('robot', 63);
    await eventually('pictures are written', () => recorder.err.split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 5, { ms: 30_000 });
    assert.equal(robot.count('recorder'), 0, `only with the visitor: ${robot.err}`);
    await page('leave');
    for (const each of [recorder, robot]) {
      await says(each, 'visitor left');
      await ends(each, 'SIGTERM');
    }
    recorded(file('page-out.ivf'), 61);
  });
});

describe('with python-socketio and aiortc', { skip }, () => {
  test('it comes later, and is there already; pictures and data both ways', async () => {
    const robot = program(['publish', ...as('robot'), '--file', encoded('python.ivf', 64), '--loop', '--data', 'chat', '--json']);
    await says(robot, 'nobody else is there');
    const vehicle = await python({ peerId: 'vehicle', camera: { sender: 65, ...CLIP } });
    const recorder = program(['subscribe', ...as('recorder', '--with', 'vehicle'), '--out', file('python-out.ivf'), '--stats']);
    await eventually('pictures with marks', async () => (await vehicle.call('frames')).filter(({ from, id }) => from === 'robot' && id >= 0 && senderOf(id) === 64).length >= FRAMES_MIN, { ms: 40_000 });
    assert.deepEqual(await printed(robot, ({ from }) => from === 'vehicle'), { from: 'vehicle', channel: 'chat', text: 'Hello from vehicle' });
    robot.say('to all');
    await eventually('the line arrives', async () => (await vehicle.call('received')).texts.some(({ from, data }) => from === 'robot' && data === 'to all'));
    await vehicle.call('say', { to: 'robot', text: 'answer' });
    await printed(robot, ({ text }) => text === 'answer');
    await eventually('pictures are written', () => recorder.err.split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 5, { ms: 30_000 });
    assert.deepEqual((await vehicle.call('received')).errors, []);
    await vehicle.call('leave');
    for (const each of [robot, recorder]) {
      await says(each, 'vehicle left');
      await ends(each);
    }
    recorded(file('python-out.ivf'), 65);
  });
});

describe('with each other', { skip }, () => {
  test('who came first publishes, who comes later does; lines go to all, and whose they are is said', async () => {
    const early = program(['subscribe', ...as('early'), '--out', file('early.ivf'), '--data', 'chat', '--json']);
    await says(early, 'nobody else is there');
    const robot = program(['publish', ...as('robot'), '--file', encoded('own.ivf', 66), '--loop', '--data', 'chat', '--json', '--stats']);
    await says(early, 'connected to robot');
    const late = program(['subscribe', ...as('late'), '--data', 'chat', '--data', 'more', '--data-from', '-', '--json']);
    await says(robot, 'connected to late');
    await says(robot, '2 watching');
    robot.say('for both');
    for (const each of [early, late]) assert.deepEqual(await printed(each, ({ from }) => from === 'robot'), { from: 'robot', channel: 'chat', text: 'for both' });
    late.say('chat\tfrom late');
    for (const each of [early, robot]) assert.deepEqual(await printed(each, ({ from }) => from === 'late'), { from: 'late', channel: 'chat', text: 'from late' });
    await eventually('pictures pass', () => robot.err.split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 4, { ms: 30_000 });
    for (const each of [robot, early, late]) await ends(each);
    recorded(file('early.ivf'), 66);
  });

  test('of several publishers one is recorded, and when it leaves, another', async () => {
    const recorder = program(['subscribe', ...as('recorder', '--channel', 'yard'), '--out', file('two.ivf'), '--stats']);
    const path = encoded('short.ivf', 67);
    const first = program(['publish', ...as('first', '--channel', 'yard'), '--file', path]);
    await says(recorder, 'connected to first');
    const second = program(['publish', ...as('second', '--channel', 'yard', '--with', 'recorder'), '--file', encoded('second.ivf', 68), '--loop']);
    assert.equal((await first.ended).code, 0, first.err);
    assert.match(first.err, /the input is over\n$/);
    await says(recorder, 'first left');
    await eventually('pictures of the second', () => recorder.err.split('first left')[1].split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 4, { ms: 30_000 });
    for (const each of [second, recorder]) await ends(each);
    const senders = marksOf(file('two.ivf')).filter((id) => id >= 0).map(senderOf);
    const changes = senders.filter((sender, n) => sender !== senders[n - 1]);
    assert.deepEqual(changes, [67, 68], 'one after the other');
  });

  test('with --reconnect they find each other again when the server comes back', async () => {
    const [main, udp, signalling] = [await freeTcpPort(), await freeUdpPort(), await freeTcpPort()];
    const start = () => startServer({ own: true, ports: [main, udp], env: { MADANG_COMPAT_SIGNALLING_PORT: String(signalling) } });
    const first = await start();
    const to = (name) => ['--peers', `http://127.0.0.1:${signalling}`, '--token', TOKEN, '--name', name, '--data', 'chat', '--reconnect'];
    const [robot, desk] = [program(['publish', ...to('robot')]), program(['subscribe', ...to('desk')])];
    for (const each of [robot, desk]) await says(each, 'connected to');
    await first.stop();
    for (const each of [robot, desk]) await says(each, 'trying again in');
    const second = await start();
    for (const each of [robot, desk]) await says(each, 'connected to', 2);
    robot.say('again');
    await eventually('the line arrives', () => desk.lines().includes('again'));
    for (const each of [robot, desk]) await ends(each);
    await second.stop();
  });
});

describe('what is wrong is said, and told by the exit code', { skip }, () => {
  const wrong = async (args, code, sentence) => {
    const done = await run(args);
    assert.equal(done.code, code, `${args.join(' ')}\n${done.err}`);
    assert.match(done.err, sentence, args.join(' '));
    console.log(`  ${code} ${done.err.trim().split('\n').at(-1)}`);
  };
  const data = ['--data', 'chat'];

  test('the command line: 2', async () => {
    await wrong(['publish', '--peers', url(), ...data], 2, /--peers needs --name/);
    await wrong(['publish', '--peers', 'localhost:3030', '--name', 'a', ...data], 2, /is no address of a server/);
    await wrong(['publish', '--peers', url(), '--spider', 'ws://a', '--name', 'a', ...data], 2, /cannot be used with/);
    await wrong(['publish', '--spider', 'ws://a', '--name', 'a', '-c', 'yard', ...data], 2, /--name is for --peers/);
    await wrong(['publish', '--spider', 'ws://a', ...data], 2, /--spider needs --channel/);
    await wrong(['publish', ...as('a'), '--takeover', ...data], 2, /--takeover is for --spider/);
    await wrong(['subscribe', ...as('a'), '--codec', 'vp8', ...data], 2, /--codec is for --spider/);
    await wrong(['publish', ...as('a')], 2, /nothing to publish/);
  });

  test('the server: 1', async () => {
    const holder = program(['publish', ...as('holder'), ...data]);
    await says(holder, 'nobody else is there');
    await wrong(['publish', ...as('holder'), ...data], 1, /the server refuses: holder is already connected to the signalling server\. Please change your peer ID and try again\.\n$/);
    await wrong(['subscribe', ...as(' '), ...data, '--reconnect'], 1, /the server refuses: A peer ID has 1 to 256 bytes/);
    await wrong(['subscribe', '--peers', url(), '--token', 'wrong', '--name', 'a', ...data, '--reconnect'], 1, /the server refuses: Authentication error\n$/);
    await wrong(['subscribe', '--peers', `${url()}/nowhere`, '--token', TOKEN, '--name', 'a', ...data], 1, /the server refuses: Invalid namespace\n$/);
    await wrong(['subscribe', '--peers', `http://127.0.0.1:${await freeTcpPort()}`, '--name', 'a', ...data], 1, /cannot be reached/);
    assert.equal(holder.child.exitCode, null, 'the first holder stays');
    await ends(holder);
    const elsewhere = program(['subscribe', '--peers', `${server.url}/signal`, '--token', TOKEN, '--name', 'holder', ...data]);
    await says(elsewhere, 'nobody else is there');
    await ends(elsewhere);
  });
});
