// HTTPS without anything beside the server: a certificate that it makes itself.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { openChromium } from '../lib/browsers.mjs';
import { eventually } from '../lib/measure.mjs';
import { metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { roomName } from '../lib/tokens.mjs';

const VISITOR = { flags: ['--ignore-certificate-errors'], sender: 1, frequencyHz: 500 };

// The certificate that is shown to a new visitor.
const shown = (port, servername = 'localhost') =>
  new Promise((done, failed) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
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
