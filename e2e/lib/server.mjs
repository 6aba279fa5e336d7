// The server under test: one that runs already (MADANG_URL), or one of our own that is started on free ports and stopped again.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { strict as assert } from 'node:assert';

const HERE = import.meta.dirname;
const HEALTH_PATH = process.env.MADANG_HEALTH_PATH ?? '/healthz';
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 15_000;

export const given = process.env.MADANG_URL !== undefined;
export const binary = () =>
  [process.env.MADANG_BIN, resolve(HERE, '../../target/release/madang'), resolve(HERE, '../../target/debug/madang')].find((path) => path !== undefined && existsSync(path));

// For node:test's `skip`: a test that must own the process cannot run against a server that somebody else started.
export const skipUnlessOwned = () => (given && process.env.MADANG_BIN === undefined ? 'needs a server of its own (set MADANG_BIN)' : false);

export const freeTcpPort = () =>
  new Promise((done, failed) => {
    const socket = createServer();
    socket.once('error', failed);
    socket.listen(0, () => {
      const { port } = socket.address();
      socket.close(() => done(port));
    });
  });

// The relay listens at the same number over TCP: one that is free over both.
export const freeUdpPort = async () => {
  for (;;) {
    const port = await new Promise((done, failed) => {
      const socket = createSocket('udp4');
      socket.once('error', failed);
      socket.bind(0, () => {
        const { port: chosen } = socket.address();
        socket.close(() => done(chosen));
      });
    });
    const isFree = await new Promise((done) => {
      const socket = createServer();
      socket.once('error', () => done(false));
      socket.listen(port, () => socket.close(() => done(true)));
    });
    if (isFree) return port;
  }
};

const until = async (deadlineMs, what, check) => {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
};

export const health = async (url) => {
  try {
    return (await fetch(url + HEALTH_PATH)).status;
  } catch {
    return 0;
  }
};

// What steers the tests is nothing to the server, which refuses variables it does not know.
const plainEnvironment = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MADANG_')));

const handle = (url, extra = {}) => ({
  url,
  socketUrl: url.replace(/^http/, 'ws'),
  key: process.env.MADANG_API_KEY ?? 'devkey',
  secret: process.env.MADANG_API_SECRET ?? 'secret',
  owned: false,
  stop: async () => {},
  ...extra,
});

// `address`: another one than this machine's own. `key`, `secret`: not in development mode.
// Many servers run here at once, and one alone can have the usual port of STUN and TURN: those that need it say so (`env`).
export const startServer = async ({ shards, env = {}, own = false, ports, address = '127.0.0.1', key, secret } = {}) => {
  if (given && !own) {
    const url = process.env.MADANG_URL.replace(/^ws/, 'http').replace(/\/$/, '');
    return handle(url);
  }
  const path = binary();
  assert.ok(path, 'no server: build one with `cargo build --release -p madang-server`, or set MADANG_BIN or MADANG_URL');
  const [port, udpPort] = ports ?? [await freeTcpPort(), await freeUdpPort()];
  const mode = key ? [] : ['--dev'];
  const bind = address === '127.0.0.1' ? [] : ['--bind', address];
  const args = ['serve', ...mode, '--port', String(port), '--udp-port', String(udpPort), ...bind, ...(shards === undefined ? [] : ['--shards', String(shards)])];
  const child = spawn(path, args, { env: { ...plainEnvironment(), MADANG_TURN_UDP_PORT: 'off', ...(key ? { MADANG_KEYS: `${key}: ${secret}` } : {}), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log.push(String(chunk));
      if (process.env.MADANG_E2E_LOG) process.stderr.write(chunk);
    });
  }
  const exited = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  let gone;
  exited.then((how) => {
    gone = how;
  });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const url = `http://${address}:${port}`;
  await until(START_MS_MAX, `${path} ${args.join(' ')} answers ${HEALTH_PATH}\n${log.join('')}`, async () => {
    if (gone) throw new Error(`${path} ended at start with ${JSON.stringify(gone)}:\n${log.join('')}`);
    return (await health(url)) === 200;
  });
  let stopped = false;
  const stop = async (signal = 'SIGTERM') => {
    if (stopped) return;
    stopped = true;
    const already = gone;
    if (!already) child.kill(signal);
    const how = await Promise.race([exited, new Promise((done) => setTimeout(() => done('still running'), STOP_MS_MAX).unref())]);
    process.removeListener('exit', killAtExit);
    if (how === 'still running') child.kill('SIGKILL');
    assert.ok(!already, `the server ended by itself: ${JSON.stringify(already)}\n${log.join('').slice(-4000)}`);
    assert.deepEqual(how, { code: 0, signal: null }, `the server did not end cleanly on ${signal}:\n${log.join('').slice(-4000)}`);
  };
  return handle(url, { ...(key ? { key, secret } : {}), owned: true, pid: child.pid, port, udpPort, log, exited, stop });
};

// Prometheus text: the values of one metric, by label set.
export const metric = async (server, name) => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const found = new Map();
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(\{[^}]*\})?\s+(\S+)/.exec(line);
    if (match && match[1] === name) found.set(match[2] ?? '', Number(match[3]));
  }
  return found;
};

export const metricSum = async (server, name) => [...(await metric(server, name)).values()].reduce((sum, value) => sum + value, 0);
