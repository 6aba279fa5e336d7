// The server as somebody with a domain runs it: keys, certificate files, HTTPS on 443, and the public address where it cannot know it by itself.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { binary } from '../lib/server.mjs';
import { eventually } from '../lib/measure.mjs';
import { DOMAIN } from './network.mjs';

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 5_000;
const ask = promisify(execFile);
const PLAIN = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MADANG_')));

// `more`: variables besides ours.
export const startServer = async (network, cell, more = {}) => {
  const path = binary();
  if (!path) throw new Error('no server: build one with `cargo build --release -p madang`, or set MADANG_BIN');
  const [certificate, privateKey] = [join(network.folder, 'certificate.pem'), join(network.folder, 'key.pem')];
  const subject = ['-subj', `/CN=${DOMAIN}`, '-addext', `subjectAltName=DNS:${DOMAIN}`];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', ...subject, '-keyout', privateKey, '-out', certificate], { stdio: 'pipe' });
  const [key, secret] = ['courtyard', randomBytes(24).toString('hex')];
  const env = { ...PLAIN, MADANG_KEYS: `${key}: ${secret}`, MADANG_TLS_CERTIFICATE: certificate, MADANG_TLS_PRIVATE_KEY: privateKey, MADANG_TLS_CACHE: join(network.folder, 'state'), ...more };
  const flags = ['--domain', DOMAIN, ...(cell.server === 'one-to-one' && !cell.isSilent ? ['--announce', network.address] : [])];
  const words = [...network.within('server'), path, 'serve', ...flags];
  const child = spawn(words[0], words.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => log.push(String(chunk)));
  const exited = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));

  // Asked from inside, for nothing here reaches the namespace.
  const get = async (what) => {
    const [command, ...args] = [...network.within('server'), process.execPath, '-e', 'fetch(process.argv[1]).then(async (answer) => { console.log(await answer.text()); process.exit(answer.ok ? 0 : 1); })'];
    return (await ask(command, [...args, `http://127.0.0.1:7880${what}`])).stdout;
  };
  // The totals and gauges of the server, those of all threads together.
  const metrics = async () => {
    const sums = {};
    for (const [, name, value] of (await get('/metrics')).matchAll(/^([a-z_]\w*)(?:\{[^}]*\})?\s+(\S+)/gm)) sums[name] = (sums[name] ?? 0) + Number(value);
    return sums;
  };
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await exited;
    clearTimeout(timer);
  };
  try {
    await eventually('the server is ready', async () => {
      if (child.exitCode !== null) throw new Error(`the server ended at its start:\n${log.join('')}`);
      return get('/readyz').then(() => true, () => false);
    }, { ms: START_MS_MAX });
  } catch (error) {
    await stop();
    throw error;
  }
  return { key, secret, log, metrics, stop, certificate, flags, env };
};
