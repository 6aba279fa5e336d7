// Runs every test file, one after the other (browsers want the machine for themselves), and says how long each took.
// `npm run e2e -- browsers stop` runs only these.
//
// A file that fails has failed. With `E2E_TRIES=2` it is run once more, to see whether it always does; what passes then is named at the end with
// what failed the first time, to be looked at.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const directory = resolve(import.meta.dirname, 'tests');
const wanted = process.argv.slice(2);
const files = readdirSync(directory).filter((name) => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((word) => name.startsWith(`${word}.`))));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(2);
}

const FILE_MS_MAX = 300_000;
const TRIES = Number(process.env.E2E_TRIES ?? 1);

// Lets the output through; the counts (`ℹ pass 3`) are held back until it is known which try counts.
const runFile = async (name) => {
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', `--test-timeout=${FILE_MS_MAX}`, resolve(directory, name)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), FILE_MS_MAX + 30_000);
  const ended = new Promise((done) => child.once('close', done));
  const counts = [];
  const failed = new Set();
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ℹ ')) counts.push(line);
    else console.log(line);
    const test = /^\s*✖ (?!failing tests)(.*?)( \([\d.]+ms\))?$/.exec(line)?.[1];
    if (test) failed.add(test);
  }
  const status = await ended;
  clearTimeout(timer);
  return { ok: status === 0, counts, failed: [...failed] };
};

const rows = [];
for (const name of files) {
  const start = Date.now();
  const earlier = [];
  let result;
  for (let tries = 1; tries <= TRIES; tries += 1) {
    result = await runFile(name);
    if (result.ok || tries === TRIES) break;
    earlier.push(...result.failed);
    console.log(`\n${name} failed (${result.failed.join('; ')}): once more\n`);
  }
  console.log(result.counts.join('\n'));
  rows.push({ name, ok: result.ok, earlier, seconds: (Date.now() - start) / 1000 });
}

console.log('\nend to end');
for (const { name, ok, seconds } of rows) console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`);
console.log(`  ${rows.reduce((sum, row) => sum + row.seconds, 0).toFixed(1)} s together`);
for (const { name, earlier } of rows.filter((row) => row.ok && row.earlier.length > 0)) console.log(`  UNSTEADY ${name}: passed only the second time; the first time failed: ${earlier.join('; ')}`);
process.exit(rows.every((row) => row.ok) ? 0 : 1);
