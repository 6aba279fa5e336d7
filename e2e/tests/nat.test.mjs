// The command of docs/nat.md, in one cell: it tells the truth of a call that only a relay makes possible, and leaves nothing behind.
import { test } from 'node:test';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { leftBehind, skipWithoutNamespaces } from '../lib/netns.mjs';

const MATRIX = resolve(import.meta.dirname, '../nat/matrix.mjs');

test('two behind symmetric NAT meet by the relay, as browsers and server say', { skip: skipWithoutNamespaces() }, () => {
  const { rows } = JSON.parse(execFileSync(process.execPath, [MATRIX, '--cell', 'symmetric', '--call', '1:1', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] }));
  assert.equal(rows.length, 1);
  const [{ isConnected, way, isByServer, isCheapest, isAgreed, relayed_bytes: relayed }] = rows;
  assert.deepEqual({ isConnected, way, isByServer, isCheapest, isAgreed }, { isConnected: true, way: 'turn udp', isByServer: false, isCheapest: true, isAgreed: true }, JSON.stringify(rows));
  assert.ok(relayed > 10_000, `${relayed} bytes relayed`);
});

test('a firewall before the server that lets no UDP in is named where the server is, and where one who calls is', { skip: skipWithoutNamespaces() }, () => {
  const { rows } = JSON.parse(execFileSync(process.execPath, [MATRIX, '--doctor', '--cell', 'server-closed', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] }));
  const [{ doctor, page }] = rows;
  assert.deepEqual([rows.length, doctor.faults, page.lines.udp, page.lines.turn_tcp], [1, ['udp_blocked'], 'limits udp_detour', 'ok way_works'], JSON.stringify(rows));
  assert.ok(doctor.isRight && page.isRight);
});

for (const cell of ['no-udp', 'only-443'])
  test(`a room where ${cell === 'no-udp' ? 'no UDP leaves' : 'only 443 passes'} is reached over TCP without a relay`, { skip: skipWithoutNamespaces() }, () => {
    const { rows } = JSON.parse(execFileSync(process.execPath, [MATRIX, '--cell', cell, '--call', 'room', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] }));
    // The relay may have carried the first of it.
    const [{ isConnected, way, isCheapest }] = rows;
    assert.deepEqual({ isConnected, way, isCheapest }, { isConnected: true, way: 'tcp', isCheapest: true }, JSON.stringify(rows));
  });

test('a cell or a call that is not there is refused, and nothing is left behind', { skip: skipWithoutNamespaces() }, () => {
  for (const words of [['--cell', 'moon'], ['--call', 'fax']]) {
    assert.throws(() => execFileSync(process.execPath, [MATRIX, ...words], { stdio: 'pipe' }), ({ status, stderr }) => status === 2 && /^nat-matrix: no (cell moon|call fax): there are /.test(stderr));
  }
  assert.deepEqual(leftBehind(), []);
});
