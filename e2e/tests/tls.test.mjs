// HTTPS without anything beside the server: a certificate that it makes itself, and one that it gets and renews from a real authority.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { startAuthority } from '../lib/acme.mjs';
import { openChromium } from '../lib/browsers.mjs';
import { eventually, wait } from '../lib/measure.mjs';
import { freeTcpPort, health, metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { roomName } from '../lib/tokens.mjs';

const VISITOR = { flags: ['--ignore-certificate-errors'], sender: 1, frequencyHz: 500 };

// The certificate that is shown to a new visitor. With `ca`: who trusts that authority alone.
const shown = (port, { servername = 'localhost', ca } = {}) =>
  new Promise((done, failed) => {
    const socket = connect({ port, host: '127.0.0.1', servername, ...(ca ? { ca } : { rejectUnauthorized: false }) }, () => {
      done(socket.getPeerX509Certificate());
      socket.destroy();
    });
    socket.once('error', failed);
  });

const enter = async (person, url) => {
  await person.goto(url);
  await person.waitFor('prejoin-join');
  await person.type('prejoin-name', person.name);
  await person.click('prejoin-join');
  await person.waitFor('room');
  person.identity = await person.evaluate(() => window.__madang.room.localParticipant.identity);
};

const sees = (person, other) => eventually(`${person.name} sees ${other.name}`, async () => (await person.frames(other.identity)).length > 5, { ms: 20_000 });

describe('a certificate made here', { skip: skipUnlessOwned() }, () => {
  let server;
  let folder;
  let anna;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'madang-tls-'));
    server = await startServer({ own: true, env: { MADANG_TLS_MODE: 'self-signed', MADANG_TLS_CACHE: folder } });
  });
  after(async () => {
    await anna?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('two meet over https and wss', async () => {
    anna = await openChromium({ name: 'anna', ...VISITOR });
    const bert = await anna.another({ name: 'bert' });
    const url = `https://localhost:${server.port}/r/${roomName('tls')}`;
    await enter(anna, url);
    await enter(bert, url);
    assert.equal(await anna.evaluate(() => window.isSecureContext), true);
    const sockets = await anna.evaluate(() => performance.getEntriesByType('resource').map((entry) => new URL(entry.name).protocol));
    assert.deepEqual([...new Set(sockets)], ['https:'], 'nothing went without TLS');
    await sees(anna, bert);
    await sees(bert, anna);
    assert.ok((await metricSum(server, 'madang_tls_handshakes_done_total')) > 2);
    assert.equal(await metricSum(server, 'madang_tls_handshakes_failed_total'), 0);
  });

  test('the banner names its fingerprint, and it stays over a restart', async () => {
    const before = (await shown(server.port)).fingerprint256;
    assert.ok(server.log.join('').includes(before), 'the fingerprint is said at the start');
    await anna.close();
    anna = undefined;
    await server.stop();
    server = await startServer({ own: true, env: { MADANG_TLS_MODE: 'self-signed', MADANG_TLS_CACHE: folder } });
    assert.equal((await shown(server.port)).fingerprint256, before);
  });
});

const DOMAIN = 'courtyard.test';

describe('a certificate of an authority', { skip: skipUnlessOwned() }, () => {
  let folder;
  let authority;
  let server;
  let visitor;
  let httpsPort;
  let httpPort;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'madang-acme-'));
    [httpsPort, httpPort] = [await freeTcpPort(), await freeTcpPort()];
  });
  after(async () => {
    await visitor?.close();
    await server?.stop();
    await authority?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  // A new one, with ports of its own.
  const found = async (options) => {
    await authority?.stop();
    authority = await startAuthority({ folder, tlsPort: httpsPort, httpPort, ...options });
  };
  const start = async (env = {}) => {
    await server?.stop();
    const settings = {
      MADANG_BIND: '127.0.0.1',
      MADANG_DOMAIN: DOMAIN,
      MADANG_TLS_HTTPS_PORT: String(httpsPort),
      MADANG_TLS_HTTP_PORT: String(httpPort),
      MADANG_TLS_CACHE: join(folder, 'state'),
      MADANG_TLS_ACME_DIRECTORY: authority.directory,
      MADANG_TLS_ACME_CA: authority.ca,
      MADANG_TLS_ACME_EMAIL: 'court@yard.test',
    };
    server = await startServer({ own: true, env: { ...settings, ...env } });
  };
  const log = () => server.log.join('');
  const ready = async () => (await fetch(`${server.url}/readyz`)).text();
  // Who trusts the authority, and asks for the domain.
  const good = () => shown(httpsPort, { servername: DOMAIN, ca: authority.root }).catch(() => undefined);

  test('it is obtained by http-01, with progress in the log', async () => {
    await found({ validSeconds: 10 });
    await start();
    const certificate = await eventually('a good certificate', good, { ms: 15_000 });
    assert.equal(certificate.checkHost(DOMAIN), DOMAIN);
    assert.equal(await ready(), 'ready');
    assert.match(log(), /obtaining a certificate.*courtyard\.test/);
    assert.match(log(), /a certificate was obtained/);
    const redirected = await fetch(`http://127.0.0.1:${httpPort}/r/yard?a=b`, { redirect: 'manual' });
    assert.deepEqual([redirected.status, redirected.headers.get('location')], [307, `https://${DOMAIN}:${httpsPort}/r/yard?a=b`]);
    assert.equal((await fetch(`http://127.0.0.1:${httpPort}/.well-known/acme-challenge/nothing`, { redirect: 'manual' })).status, 404);
  });

  test('what is kept is its owner\'s alone', () => {
    const state = join(folder, 'state');
    const modes = readdirSync(state, { recursive: true }).map((name) => [name, (statSync(join(state, name)).mode & 0o777).toString(8)]);
    const kept = modes.map(([name]) => name.split('/').at(-1)).filter((name) => /\./.test(name) && !/^127/.test(name));
    assert.deepEqual(kept.sort(), ['account.json', `${DOMAIN}.pem`]);
    for (const [name, mode] of modes) assert.ok(mode === (statSync(join(state, name)).isDirectory() ? '700' : '600'), `${name} has mode ${mode}`);
  });

  test('it is renewed while a call goes on, also by an authority that forgot the account', async () => {
    visitor = await openChromium({ name: 'anna', sender: 1, frequencyHz: 500, flags: ['--ignore-certificate-errors', `--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1`] });
    const bert = await visitor.another({ name: 'bert' });
    const url = `https://${DOMAIN}:${httpsPort}/r/${roomName('acme')}`;
    for (const person of [visitor, bert]) await enter(person, url);
    await sees(visitor, bert);
    await visitor.evaluate(() => {
      window.interruptions = [];
      for (const name of ['reconnecting', 'signalReconnecting', 'disconnected']) window.__madang.room.on(name, () => window.interruptions.push(name));
    });
    const serials = new Set([(await good()).serialNumber]);
    const next = async () => {
      const certificate = await eventually('the next certificate', async () => [await good()].find((one) => one && !serials.has(one.serialNumber)), { ms: 25_000 });
      serials.add(certificate.serialNumber);
    };
    await next();
    await found({ validSeconds: 10, ports: authority.ports, env: { PEBBLE_AUTHZREUSE: '100' } });
    await next();
    await next();
    const seen = (await visitor.frames(bert.identity)).length;
    await wait(1_000);
    assert.ok((await visitor.frames(bert.identity)).length > seen + 2, 'pictures still come');
    assert.deepEqual(await visitor.evaluate(() => window.interruptions), []);
    assert.equal(await metricSum(server, 'madang_resumes_total'), 0);
    assert.ok((await metricSum(server, 'madang_certificates_renewed_total')) >= 4);
    assert.equal(await metricSum(server, 'madang_certificates_failed_total'), 0);
    await visitor.close();
    visitor = undefined;
  });

  test('it is obtained by tls-alpn-01 on the port of HTTPS, and kept for the next start', async () => {
    await found({ httpPort: await freeTcpPort() });
    await start({ MADANG_TLS_ACME_CHALLENGE: 'tls-alpn-01' });
    const { serialNumber } = await eventually('a good certificate', good, { ms: 15_000 });
    assert.ok((await metricSum(server, 'madang_acme_challenges_answered_total')) >= 1);
    await start({ MADANG_TLS_ACME_CHALLENGE: 'tls-alpn-01' });
    assert.equal((await good()).serialNumber, serialNumber, 'at once, and the same');
    assert.doesNotMatch(log(), /obtaining a certificate/);
    assert.match(log(), /renewed by itself/);
  });

  test('what is wrong is said with its remedy, and the server goes on', async () => {
    await found();
    await start({ MADANG_TLS_HTTP_PORT: String(await freeTcpPort()) });
    await eventually('a warning', () => /no certificate was obtained/.test(log()), { ms: 15_000 });
    assert.match(log(), /remedy="courtyard\.test must lead to this machine, and port 80\/tcp must be reachable from the internet/);
    assert.match(log(), /leads_to="nowhere"/);
    assert.match(log(), /again_in_s=3\d\d/);
    assert.equal(await ready(), 'no certificate yet');
    assert.equal(await health(server.url), 200);
    await assert.rejects(shown(httpsPort, { servername: DOMAIN }), 'no certificate, no handshake');
    await authority.stop();
    await start();
    await eventually('a warning', () => /no certificate was obtained/.test(log()), { ms: 15_000 });
    assert.match(log(), /error=cannot reach 127\.0\.0\.1: .* remedy="let this machine reach the authority/);
  });
});
