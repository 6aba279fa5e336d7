// Runs every test file, one after the other (browsers want the machine for themselves), and says how long each took.
// `npm run e2e -- browsers stop` runs only these.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';

const directory = resolve(import.meta.dirname, 'tests');
const wanted = process.argv.slice(2);
const files = readdirSync(directory).filter((name) => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((word) => name.startsWith(`${word}.`))));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(2);
}

const FILE_MS_MAX = 300_000;
const rows = files.map((name) => {
  const start = Date.now();
  const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', `--test-timeout=${FILE_MS_MAX}`, resolve(directory, name)], { stdio: 'inherit', timeout: FILE_MS_MAX + 30_000 });
  return { name, ok: status === 0, seconds: (Date.now() - start) / 1000 };
});

console.log('\nend to end');
for (const { name, ok, seconds } of rows) console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`);
console.log(`  ${rows.reduce((sum, row) => sum + row.seconds, 0).toFixed(1)} s together`);
process.exit(rows.every((row) => row.ok) ? 0 : 1);
