// The relay with peers elsewhere: by sockets of its own to hosts of the internet, and nowhere into the network that the server stands in; coturn's own
// client is content with it over every transport.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { openSpaces, skipWithoutNamespaces } from '../lib/netns.mjs';
import { binary, freeTcpPort, freeUdpPort, metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';

const run = promisify(execFile);
const CLIENT = resolve(import.meta.dirname, '../lib/turn_client.mjs');
const [USER, PASSWORD] = ['camera', 'at least 12 characters'];
// Global addresses, inside of namespaces that nothing leaves.
const [SERVER, PEER] = ['11.0.0.1', '11.0.0.2'];
const IPV4 = ['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.0.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255'];
const PORT = 13478;

describe('peers elsewhere', { skip: skipUnlessOwned() || skipWithoutNamespaces() }, () => {
  let spaces;
  let server;

  before(async () => {
    spaces = openSpaces(['server', 'peer']);
    spaces.cable({ place: 'server', device: 'wan', addresses: [`${SERVER}/24`] }, { place: 'peer', device: 'wan', addresses: [`${PEER}/24`] });
    const settings = { MADANG_BIND: '0.0.0.0', MADANG_DEV: 'true', MADANG_TURN_PEERS: 'public', MADANG_TURN_UDP_PORT: String(PORT), MADANG_TURN_USERS: `${USER}: ${PASSWORD}`, MADANG_TURN_RELAY_PORTS: '50000-50099' };
    server = spaces.start('server', [binary(), 'serve'], settings);
    await server.says('media port open');
  });
  after(() => spaces?.close());

  test('a host of the internet is reached, and nothing of ours or of private networks', async () => {
    const mapped = IPV4.map((address) => `::ffff:${Buffer.from(address.split('.').map(Number)).toString('hex').replace(/(.{4})(.{4})/, '$1:$2')}`);
    const peers = [...IPV4, SERVER];
    const words = [process.execPath, CLIENT, SERVER, String(PORT), USER, PASSWORD, PEER, ...peers, ...mapped];
    const { stdout, output } = await spaces.finished('peer', words);
    assert.ok(stdout.startsWith('{'), output);
    const tried = JSON.parse(stdout);
    const [relayedIp, relayedPort] = tried.relayed.split(':');
    assert.equal(relayedIp, SERVER);
    assert.ok(relayedPort >= 50_000 && relayedPort <= 50_099, tried.relayed);
    assert.deepEqual({ bound: tried.bound, heard: tried.heard }, { bound: 0, heard: 'there back' });
    assert.deepEqual(tried.arrived, ['there', 'still'].map((payload) => ({ payload, from: tried.relayed })));
    for (const address of peers) assert.deepEqual(tried.denied[address], [403, 403, 403], address);
    // No IPv6 here, which is said first.
    for (const address of mapped) assert.ok(tried.denied[address].every((code) => code === 403 || code === 443), `${address}: ${tried.denied[address]}`);
    assert.equal(Object.keys(tried.denied).length, 2 * IPV4.length + 1);
  });
});

const skipWithoutCoturn = () => {
  try {
    execFileSync('sh', ['-c', 'command -v turnutils_uclient turnutils_peer']);
    return false;
  } catch {
    return "needs coturn's turnutils_uclient and turnutils_peer";
  }
};

describe("coturn's client", { skip: skipUnlessOwned() || skipWithoutCoturn() }, () => {
  let server;
  let peer;
  let ports;
  before(async () => {
    ports = { turn: await freeUdpPort(), peer: await freeUdpPort(), https: await freeTcpPort() };
    const env = { MADANG_BIND: '127.0.0.1', MADANG_TURN_PEERS: 'any', MADANG_TURN_USERS: 'u: p', MADANG_TURN_UDP_PORT: String(ports.turn), MADANG_TURN_TCP_PORT: String(ports.turn), MADANG_TLS_MODE: 'self-signed', MADANG_TLS_HTTPS_PORT: String(ports.https) };
    server = await startServer({ own: true, env });
    peer = spawn('turnutils_peer', ['-L', '127.0.0.1', '-p', String(ports.peer)], { stdio: 'ignore' });
  });
  after(async () => {
    peer?.kill();
    await server?.stop();
  });

  const MESSAGES = 200;
  for (const [name, flags, port] of [
    ['UDP', ['-c'], 'turn'],
    ['UDP, without channels', ['-c', '-s'], 'turn'],
    ['UDP, one with another', ['-c', '-y'], 'turn'],
    ['TCP', ['-c', '-t'], 'turn'],
    ['TLS', ['-c', '-t', '-S'], 'https'],
  ]) {
    test(`over ${name}`, async () => {
      const metrics = async () => {
        const names = ['madang_turn_relayed_up_total', 'madang_turn_relayed_down_total', 'madang_turn_refused_total', 'madang_path_elsewhere_send_failed_total', 'madang_path_dropped_stream_queue_total'];
        return Promise.all(names.map((each) => metricSum(server, each)));
      };
      const start = await metrics();
      const words = ['-u', 'u', '-w', 'p', '-p', String(ports[port]), '-e', '127.0.0.1', '-r', String(ports.peer), '-m', '2', '-n', String(MESSAGES / 2), '-l', '1000', '-z', '10', ...flags, '127.0.0.1'];
      const { stdout } = await run('turnutils_uclient', words, { timeout: 60_000 });
      const counts = [...stdout.matchAll(/tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g)].at(-1);
      assert.ok(counts, stdout);
      const [sent, got] = counts.slice(1).map(Number);
      assert.ok(sent >= MESSAGES, `${sent} sent`);
      const done = (await metrics()).map((value, index) => value - start[index]);
      assert.deepEqual(done, [sent, sent, 0, 0, 0], 'relayed up and down, refused, not sent, dropped');
      // Over TLS that client takes one record for each time that its socket has something, and leaves the last ones of those that came together.
      if (port === 'https') assert.ok(got > 0);
      else assert.equal(got, sent);
    });
  }
});
