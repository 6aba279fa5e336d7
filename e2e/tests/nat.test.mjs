// The command of docs/nat.md, in one cell: it tells the truth of a call that only a relay makes possible, and leaves nothing behind.
import { test } from 'node:test';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { leftBehind, whyNot } from '../nat/network.mjs';

const MATRIX = resolve(import.meta.dirname, '../nat/matrix.mjs');

test('two behind symmetric NAT meet by the relay, as browsers and server say', { skip: whyNot() }, () => {
  const { rows } = JSON.parse(execFileSync(process.execPath, [MATRIX, '--cell', 'symmetric', '--call', '1:1', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] }));
  assert.equal(rows.length, 1);
  const [{ isConnected, way, isByServer, isCheapest, isAgreed, relayed_bytes: relayed }] = rows;
  assert.deepEqual({ isConnected, way, isByServer, isCheapest, isAgreed }, { isConnected: true, way: 'turn udp', isByServer: false, isCheapest: true, isAgreed: true }, JSON.stringify(rows));
  assert.ok(relayed > 10_000, `${relayed} bytes relayed`);
});

test('a cell or a call that is not there is refused, and nothing is left behind', { skip: whyNot() }, () => {
  for (const words of [['--cell', 'moon'], ['--call', 'fax']]) {
    assert.throws(() => execFileSync(process.execPath, [MATRIX, ...words], { stdio: 'pipe' }), ({ status, stderr }) => status === 2 && /^nat-matrix: no (cell moon|call fax): there are /.test(stderr));
  }
  assert.deepEqual(leftBehind(), []);
});
