// `madang publish` and `madang subscribe` beside the original's own programs (rtcbot on aiortc), and what they say when something is wrong.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChromium, sdkPage } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { Program, run } from '../lib/cli.mjs';
import { frameOf, readLuma, senderOf } from '../lib/marks.mjs';
import { eventually } from '../lib/measure.mjs';
import { ProcessPeer } from '../lib/peers.mjs';
import { freeTcpPort, freeUdpPort, health, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';

const skip = skipUnlessOwned();
const CLIP = { width: 480, height: 270, fps: 10 };
const FRAMES_MIN = 20;
const folder = mkdtempSync(join(tmpdir(), 'madang-cli-'));
const open = [];
let server;
let spiderPort;

const url = () => `wss://127.0.0.1:${spiderPort}`;
const file = (name) => join(folder, name);
const at = (channel) => ['--spider', url(), '--insecure', '--channel', channel];

const ffmpeg = (...args) => {
  const { status, stdout, stderr } = spawnSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { maxBuffer: 1 << 28 });
  assert.equal(status, 0, String(stderr));
  return { stdout, stderr: String(stderr) };
};

// The clip's marks, encoded with a key frame each second.
const encoded = (name, sender, ...codec) => {
  ffmpeg('-i', videoClip({ sender, ...CLIP, seconds: 10 }), '-g', '10', ...codec, file(name));
  return file(name);
};
const VP8 = ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '800k'];
const H264 = ['-c:v', 'libx264', '-profile:v', 'baseline', '-bf', '0', '-b:v', '800k'];

// The same with a tone, both in one file.
const film = (name, sender, ...codec) => {
  const inputs = ['-i', videoClip({ sender, ...CLIP, seconds: 10 }), '-i', audioClip({ frequencyHz: 440, seconds: 8 })];
  ffmpeg(...inputs, '-t', '6', '-g', '10', ...codec, '-c:a', 'libopus', file(name));
  return file(name);
};

// What is in a track of a file, packet by packet: when, and its hash. Of H.264 the pictures alone: parameter sets may be said again.
const packetsOf = (path, track, codec) => {
  const units = codec === H264 && track === 'v' ? ['-bsf:v', 'h264_mp4toannexb,filter_units=remove_types=7-9'] : [];
  const text = String(ffmpeg('-i', path, '-map', `0:${track}`, '-c', 'copy', ...units, '-copyts', '-f', 'framehash', '-hash', 'md5', '-').stdout);
  const [, a, b] = text.match(/#tb 0: (\d+)\/(\d+)/);
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return lines.map((line) => line.split(',').map((part) => part.trim())).map((parts) => ({ ms: (parts[2] * a * 1000) / b, hash: parts[5] }));
};

const marksOf = (path) => {
  const { stdout } = ffmpeg('-i', path, '-vsync', '0', '-f', 'rawvideo', '-pix_fmt', 'gray', '-');
  const size = CLIP.width * CLIP.height;
  return Array.from({ length: stdout.length / size }, (_, n) => readLuma(stdout.subarray(n * size, (n + 1) * size), CLIP.width, CLIP.width, CLIP.height));
};

// A program of that name on a PATH of its own.
const fake = (name, script) => {
  const path = file(`bin-${name}`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { env: { PATH: `${path}:${process.env.PATH}` } };
};

const program = (args, options) => {
  const started = new Program(args, options);
  open.push({ close: () => started.stop('SIGKILL') });
  return started;
};
const original = async (args) => {
  const peer = new ProcessPeer('spider', {});
  open.push(peer);
  await peer.ready;
  await peer.call('connect', { url: url(), ...args });
  return peer;
};
const seen = async (peer, sender) => (await peer.call('frames')).filter(({ id }) => id >= 0 && senderOf(id) === sender);
const connected = (started, times = 1) =>
  eventually(`${started.args[0]} is connected`, () => {
    assert.equal(started.child.exitCode, null, started.err);
    return started.count('connected to') >= times;
  }, { ms: 30_000 });

before(async () => {
  if (skip) return;
  spiderPort = await freeTcpPort();
  server = await startServer({ own: true, env: { MADANG_COMPAT_SPIDER_PORT: String(spiderPort) } });
});
after(async () => {
  for (const each of open) await each.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('madang publish', { skip }, () => {
  for (const [codec, name, options] of [['VP8', 'p.ivf', VP8], ['H.264', 'p.h264', H264]]) {
    test(`a file of ${codec} is seen by the original subscriber, with data both ways`, async () => {
      const channel = roomName('publish');
      const subscriber = await original({ role: 'sub', channel, video: true });
      const publisher = program(['publish', ...at(channel), '--file', encoded(name, 51, ...options), '--fps', '10', '--loop', '--data', 'metric', '--data', 'stream']);
      await eventually('pictures with marks', async () => (await seen(subscriber, 51)).length >= FRAMES_MIN, { ms: 40_000 });
      assert.deepEqual((await subscriber.call('frames')).filter(({ id }) => id >= 0 && senderOf(id) !== 51), [], 'no picture of another sender');
      await eventually('the metric arrives', async () => {
        publisher.say('metric\t{"ir": {"key": "detectTime", "value": 0.5}}');
        return (await subscriber.call('received')).some(({ label, message }) => label === 'metric' && message?.ir?.value === 0.5);
      });
      const motion = { motion: { key: 'forward', value: 3 } };
      await subscriber.call('put', { label: 'stream', message: motion });
      const line = await eventually('the motion is printed', () => publisher.lines().find((each) => each.startsWith('stream\t')));
      assert.deepEqual(JSON.parse(line.slice('stream\t'.length)), motion);
      assert.deepEqual(await publisher.stop('SIGTERM'), { code: 0, signal: null });
      assert.match(publisher.err, /ended\n$/);
      await subscriber.call('leave');
    });
  }

  test('a participant in the browser sees pictures of both codecs, from each kind of file', async () => {
    const room = roomName('browser');
    const browser = await openChromium({ name: 'participant', sender: 59, frequencyHz: 440, video: videoClip({ sender: 59, ...CLIP }), audio: audioClip({ frequencyHz: 440 }) });
    open.push(browser);
    await browser.goto(await sdkPage());
    browser.identity = 'participant';
    await browser.sdk('connect', { url: server.socketUrl, token: await joinToken(server, { room, identity: 'participant' }) });
    const frames = () => browser.evaluate(() => [...window.__e2e.logs.entries()].filter(([key]) => key.startsWith('publisher/')).flatMap(([, log]) => log.frames));
    const files = [
      [57, encoded('b.ivf', 57, ...VP8)],
      [58, encoded('b.h264', 58, ...H264)],
      [60, film('b.webm', 60, ...VP8)],
      [61, film('b.mkv', 61, ...H264)],
      [62, film('b.mp4', 62, ...H264)],
    ];
    for (const [sender, name] of files) {
      const publisher = program(['publish', ...at(room), '--file', name, '--fps', '10', '--loop']);
      await eventually(`pictures of ${name}`, async () => (await frames()).filter(({ id }) => id >= 0 && senderOf(id) === sender).length >= FRAMES_MIN, { ms: 30_000 });
      assert.equal((await publisher.stop()).code, 0, publisher.err);
    }
    await browser.close();
    open.splice(open.indexOf(browser), 1);
  });

  test('standard input, a test pattern and sound reach `madang subscribe`; the end of the input is the end', async () => {
    const pictures = encoded('s.h264', 52, ...H264);
    const sound = file('s.ogg');
    ffmpeg('-i', audioClip({ frequencyHz: 440 }), '-c:a', 'libopus', sound);
    const cases = [
      { name: 'stdin.ivf', args: ['-'], input: ['-re', '-i', encoded('s.ivf', 52, ...VP8), '-c', 'copy', '-f', 'ivf', '-'] },
      { name: 'stdin.h264', args: ['-'], input: ['-re', '-r', '10', '-i', pictures, '-c', 'copy', '-f', 'h264', '-'] },
      { name: 'sound.h264', args: ['--file', pictures, '--file', sound, '--fps', '10'] },
      { name: 'csi.h264', args: ['--csi', '--fps', '10'], options: fake('rpicam-vid', `echo "$@" > ${file('csi.args')}\nexec ffmpeg -loglevel error -re -r 10 -i ${pictures} -c copy -f h264 -`) },
      { name: 'pattern.ivf', args: ['--test', '--size', '480x270', '--fps', '10', '--duration', '6s'], isPattern: true },
    ];
    for (const { name, args, input, options, isPattern } of cases) {
      const channel = roomName('input');
      const subscriber = program(['subscribe', ...at(channel), '--out', file(name)]);
      const publisher = program(['publish', ...at(channel), ...args], options);
      if (input) {
        spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...input], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout.pipe(publisher.child.stdin);
      }
      const { code } = await publisher.ended;
      assert.equal(code, 0, `${name}: ${publisher.err}`);
      assert.match(publisher.err, isPattern ? /ended\n$/ : /the input is over\n$/);
      assert.deepEqual(await subscriber.stop(), { code: 0, signal: null }, subscriber.err);
      const marks = marksOf(file(name));
      assert.ok(marks.length >= FRAMES_MIN, `${name}: ${marks.length} pictures\n${subscriber.err}`);
      if (!isPattern) assert.deepEqual(marks.filter((id) => senderOf(id) !== 52), [], `${name}: every picture has its mark`);
    }
    assert.match(readFileSync(file('csi.args'), 'utf8'), /--codec h264 .*--framerate 10 .*--inline .*--output -/);
  });
});

describe('madang publish --rtsp', { skip }, () => {
  const camera = async (port, path, sound) => {
    const child = spawn('/usr/bin/python3', [join(import.meta.dirname, '../peers/rtsp.py'), String(port), path, sound], { stdio: ['ignore', 'pipe', 'inherit'] });
    const stop = () => new Promise((done) => (child.once('exit', done), child.kill('SIGKILL')));
    open.push({ close: () => child.exitCode === null && child.signalCode === null && stop() });
    await new Promise((ready) => child.stdout.once('data', ready));
    return stop;
  };

  test('a camera is passed through byte by byte, waited for, and taken again when it comes back', async () => {
    const [channel, port] = [roomName('rtsp'), await freeTcpPort()];
    const from = film('camera.mkv', 66, ...H264);
    const recorder = program(['subscribe', ...at(channel), '--out', file('camera-out.mkv')]);
    const publisher = program(['publish', ...at(channel), '--rtsp', `rtsp://robot:secret@127.0.0.1:${port}/cam`, '--reconnect', '--stats']);
    await eventually('it is waited for', () => publisher.count('trying again in') >= 1);
    const stop = await camera(port, from, 'opus');
    await connected(publisher);
    await eventually('pictures pass', () => publisher.err.split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 4, { ms: 30_000 });
    assert.equal((await recorder.stop()).code, 0, recorder.err);
    for (const track of ['v', 'a']) {
      const [sent, came] = [packetsOf(from, track, H264), packetsOf(file('camera-out.mkv'), track, H264)];
      assert.ok(came.length >= (track === 'v' ? FRAMES_MIN : 50), `${came.length} packets of ${track}\n${recorder.err}`);
      const start = sent.findIndex((_, n) => came.every(({ hash }, k) => sent[n + k]?.hash === hash));
      assert.ok(start >= 0, `what came of ${track} is not what was sent`);
    }
    await stop();
    const tries = publisher.count('trying again in');
    await eventually('its end is noticed', () => publisher.count('trying again in') > tries, { ms: 20_000 });
    await camera(port, from, 'alaw');
    const since = publisher.err.length;
    await eventually('pictures pass again', () => publisher.err.slice(since).split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 2, { ms: 40_000 });
    assert.match(publisher.err, /its sound is left out: it is in G\.711/);
    assert.doesNotMatch(publisher.err, /secret/);
    assert.equal((await publisher.stop()).code, 0, publisher.err);
  });
});

describe('madang subscribe', { skip }, () => {
  test('the original publisher’s pictures are written, one after the other, and its data is printed', async () => {
    const channel = roomName('subscribe');
    const recorder = program(['subscribe', ...at(channel), '--out', file('o.ivf'), '--stats']);
    const listener = program(['subscribe', '--spider', server.socketUrl, '-c', channel, '--data', 'metric', '--data', 'stream', '--data-from', '-', '--json']);
    const publisher = await original({ role: 'pub', channel, camera: { sender: 53, ...CLIP } });
    await connected(recorder);
    await connected(listener);
    const metric = { ir: { key: 'detectTime', value: 0.25 } };
    const printed = await eventually('the metric is printed', async () => {
      await publisher.call('put', { label: 'metric', message: metric });
      return listener.lines()[0];
    });
    const { channel: label, text } = JSON.parse(printed);
    assert.deepEqual([label, JSON.parse(text)], ['metric', metric]);
    listener.say('stream\t{"speed": {"key": "maxSpeed", "value": 7}}');
    await eventually('the publisher has the speed', async () => (await publisher.call('received')).some(({ label: on, message }) => on === 'stream' && message?.speed?.value === 7));
    await eventually('pictures come', () => recorder.err.split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 4, { ms: 30_000 });
    assert.equal((await recorder.stop()).code, 0, recorder.err);
    assert.equal((await listener.stop('SIGTERM')).code, 0, listener.err);
    const marks = marksOf(file('o.ivf'));
    assert.ok(marks.length >= FRAMES_MIN, `${marks.length} pictures`);
    assert.deepEqual(marks.filter((id) => senderOf(id) !== 53), [], 'every picture has its mark');
    const numbers = marks.map(frameOf);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'in order');
    await publisher.call('leave');
  });

  test('files with pictures and sound arrive byte by byte, and in time with each other', async () => {
    for (const [name, out, sender, codec] of [['f.webm', 'f-out.webm', 63, VP8], ['f.mkv', 'f-out.mp4', 64, H264], ['f.mp4', 'f-out.mkv', 65, H264], ['f.mkv', 'f-out.ogg', 64, H264]]) {
      const channel = roomName('film');
      const from = film(name, sender, ...codec);
      const recorder = program(['subscribe', ...at(channel), '--out', file(out)]);
      const { code, err } = await run(['publish', ...at(channel), '--file', from]);
      assert.equal(code, 0, err);
      assert.equal((await recorder.stop()).code, 0, recorder.err);
      const begins = {};
      for (const track of out.endsWith('.ogg') ? ['a'] : ['v', 'a']) {
        const [sent, came] = [packetsOf(from, track, codec), packetsOf(file(out), track, codec)];
        assert.ok(came.length >= (track === 'v' ? FRAMES_MIN : 150), `${out}: ${came.length} packets of ${track}\n${recorder.err}`);
        const at = sent.findIndex((_, start) => came.every(({ hash }, n) => sent[start + n]?.hash === hash));
        assert.ok(at >= 0, `${out}: what came of ${track} is not what was sent`);
        begins[track] = came[0].ms - sent[at].ms;
      }
      if ('v' in begins) assert.ok(Math.abs(begins.v - begins.a) < 100, `${out}: apart by ${begins.v - begins.a} ms`);
      if (!out.endsWith('.ogg')) assert.deepEqual(marksOf(file(out)).filter((id) => senderOf(id) !== sender), [], 'every picture has its mark');
    }
  });

  test('a publisher that comes again is seen again', async () => {
    const channel = roomName('again');
    const path = encoded('again.ivf', 54, ...VP8);
    const recorder = program(['subscribe', ...at(channel), '--out', file('again-out.ivf')]);
    for (const time of [1, 2]) {
      const { code, err } = await run(['publish', ...at(channel), '--file', path]);
      assert.equal(code, 0, err);
      assert.ok(recorder.count('connected to') >= time, recorder.err);
    }
    assert.equal((await recorder.stop()).code, 0, recorder.err);
    const numbers = marksOf(file('again-out.ivf')).map(frameOf);
    const restarts = numbers.filter((number, n) => n > 0 && number < numbers[n - 1]);
    assert.equal(restarts.length, 1, `twice from the beginning: ${numbers}`);
  });
});

test('with --reconnect both come back when the server does; without it, its goodbye is the end', { skip }, async () => {
  const ports = [await freeTcpPort(), await freeUdpPort()];
  const channel = roomName('back');
  const to = ['--spider', `ws://127.0.0.1:${ports[0]}`, '--channel', channel];
  const first = await startServer({ own: true, ports });
  const publisher = program(['publish', ...to, '--file', encoded('back.ivf', 55, ...VP8), '--loop', '--reconnect']);
  const recorder = program(['subscribe', ...to, '--out', file('back-out.ivf'), '--reconnect', '--stats']);
  const passing = program(['subscribe', ...to]);
  for (const each of [publisher, recorder, passing]) await connected(each);
  await first.stop();
  assert.equal((await passing.ended).code, 0, passing.err);
  assert.match(passing.err, /the server ended the session(: the server is stopping)?\n$/);
  const second = await startServer({ own: true, ports });
  for (const each of [publisher, recorder]) await connected(each, 2);
  const since = recorder.err.length;
  await eventually('pictures come again', () => recorder.err.slice(since).split('\n').filter((line) => / [1-9][\d.]* fps/.test(line)).length >= 3, { ms: 30_000 });
  for (const each of [publisher, recorder]) {
    assert.match(each.err, /trying again in/);
    assert.equal((await each.stop()).code, 0, each.err);
  }
  assert.deepEqual(marksOf(file('back-out.ivf')).filter((id) => senderOf(id) !== 55), [], 'every picture has its mark');
  await second.stop();
});

describe('what is wrong is said, and told by the exit code', { skip }, () => {
  const wrong = async (args, code, sentence, options) => {
    const done = await run(args, options);
    assert.equal(done.code, code, `${args.join(' ')}\n${done.err}`);
    assert.match(done.err, sentence, args.join(' '));
    console.log(`  ${code} ${done.err.trim().split('\n')[0]}`);
  };

  test('the command line: 2', async () => {
    const channel = roomName('usage');
    await wrong(['publish', '--spider', 'localhost', '-c', channel, '--test'], 2, /write wss:\/\/host:port/);
    await wrong(['subscribe', '--spider', 'ftp://localhost', '-c', channel], 2, /ftp:\/\/ is no way to a server/);
    await wrong(['publish', ...at(channel)], 2, /nothing to publish/);
    await wrong(['publish', ...at(channel), '--test', '--csi'], 2, /cannot be used with/);
    await wrong(['publish', ...at(channel), '--test', '--loop'], 2, /--loop is for --file/);
    await wrong(['subscribe', ...at(channel), '--out', 'x.avi'], 2, /write \.mkv, \.webm or \.mp4/);
    await wrong(['subscribe', ...at(channel), '--out', '-', '--data', 'metric'], 2, /standard output cannot be both/);
    await wrong(['subscribe', '-c', channel], 2, /--spider/);
  });

  test('the server: 1', async () => {
    const channel = roomName('refused');
    const nobody = await freeTcpPort();
    await wrong(['subscribe', '--spider', `ws://127.0.0.1:${nobody}`, '-c', channel], 1, /cannot be reached/);
    await wrong(['subscribe', '--spider', url(), '-c', channel], 1, /certificate .* not trusted.*--insecure/);
    await wrong(['subscribe', '--spider', `${server.socketUrl}/nowhere`, '-c', channel], 1, /refuses: 404/);
    await wrong(['subscribe', '--spider', `wss://127.0.0.1:${server.port}`, '--insecure', '-c', channel], 1, /TLS/);
    await wrong(['subscribe', ...at('x'.repeat(300))], 1, /refuses: 400 \(.*256 bytes/);
    const first = program(['publish', ...at(channel), '--data', 'metric']);
    await connected(first);
    await wrong(['publish', ...at(channel), '--data', 'metric'], 1, /the channel has a publisher already/);
    const second = program(['publish', ...at(channel), '--data', 'metric', '--takeover']);
    await connected(second);
    assert.equal((await first.ended).code, 0, first.err);
    assert.match(first.err, /the server ended the session: somebody else took this place\n$/);
    assert.equal((await second.stop()).code, 0, second.err);
  });

  test('rights: 1', async () => {
    const [port, udpPort] = [await freeTcpPort(), await freeUdpPort()];
    const env = { MADANG_KEYS: 'house: a secret of at least 32 characters' };
    const strict = program(['serve', '--port', String(port), '--udp-port', String(udpPort), '--bind', '127.0.0.1'], { env });
    await eventually('the server answers', async () => (await health(`http://127.0.0.1:${port}`)) === 200, { ms: 20_000 });
    const channel = roomName('rights');
    const to = ['--spider', `ws://127.0.0.1:${port}`, '-c', channel, '--data', 'metric', '--reconnect'];
    const token = async (...flags) => {
      const { code, out, err } = await run(['token', '--room', channel, '--identity', 'robot', ...flags], { env });
      assert.equal(code, 0, err);
      return { env: { MADANG_TOKEN: out.trim() } };
    };
    await wrong(['publish', ...to], 1, /not allowed to publish/);
    await wrong(['subscribe', ...to, '--token', 'no.such.token'], 1, /not allowed to subscribe/);
    await wrong(['publish', ...to], 1, /not allowed to publish/, await token('--no-publish'));
    const allowed = program(['publish', ...to], await token());
    await connected(allowed);
    assert.equal((await allowed.stop()).code, 0, allowed.err);
    assert.equal((await strict.stop('SIGTERM')).code, 0, strict.err);
  });

  test('the source: 1', async () => {
    const channel = roomName('source');
    const empty = { env: { PATH: folder } };
    await wrong(['publish', ...at(channel), '--test'], 1, /ffmpeg is not there: install FFmpeg/, empty);
    await wrong(['publish', ...at(channel), '--csi'], 1, /rpicam-vid is not there: install libcamera/, empty);
    await wrong(['publish', ...at(channel), '--test'], 1, /ffmpeg failed \(exit status: 3\): no such encoder/, fake('ffmpeg', 'echo no such encoder >&2; exit 3'));
    await wrong(['publish', ...at(channel), '--camera', '/dev/video77'], 1, /video77 is not there: is a camera plugged in/);
    await wrong(['publish', ...at(channel), '--rtsp', `rtsp://127.0.0.1:${await freeTcpPort()}/cam`], 1, /Unable to connect to RTSP server/);
    await wrong(['publish', ...at(channel), '--rtsp', 'http://a:secret@cam.lan/'], 2, /write rtsp:\/\/NAME:PASSWORD@host:554\/path/);
    await wrong(['publish', ...at(channel), '--file', file('none.ivf')], 1, /none\.ivf: No such file/);
    writeFileSync(file('no.ivf'), 'RIFF');
    await wrong(['publish', ...at(channel), '--file', file('no.ivf')], 1, /neither IVF/);
    const whole = Buffer.from(ffmpeg('-i', encoded('whole.ivf', 56, ...VP8), '-t', '0.5', '-c', 'copy', '-f', 'ivf', '-').stdout);
    writeFileSync(file('cut.ivf'), whole.subarray(0, whole.length - 1));
    await wrong(['publish', ...at(channel), '--file', file('cut.ivf')], 1, /cut\.ivf: it ends in the middle of a frame/);
    const clip = ['-i', videoClip({ sender: 56, ...CLIP }), '-i', audioClip({ frequencyHz: 440 }), '-t', '2'];
    const refused = async (name, sentence, ...codecs) => {
      ffmpeg(...clip, ...codecs, file(name));
      await wrong(['publish', ...at(channel), '--file', file(name)], 1, sentence);
    };
    const remedy = '.*ffmpeg -i FILE .*OUT\\.mkv';
    await refused('aac.mp4', new RegExp(`aac\\.mp4: its sound is in AAC${remedy}`), ...H264, '-c:a', 'aac');
    await refused('vp9.webm', new RegExp(`its pictures are in VP9${remedy}`), '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-an');
    await refused('b.mkv', new RegExp(`B-frames${remedy}`), '-c:v', 'libx264', '-bf', '2', '-an');
    await refused('far.mp4', new RegExp(`its fragments say where they are${remedy}`), ...H264, '-an', '-movflags', 'frag_keyframe+empty_moov');
    const film2 = readFileSync(film('cut.mp4', 56, ...H264));
    writeFileSync(file('cut.mp4'), film2.subarray(0, film2.length - 20_000));
    await wrong(['publish', ...at(channel), '--file', file('cut.mp4')], 1, /cut\.mp4: it has no index \(moov\)/);
  });
});
