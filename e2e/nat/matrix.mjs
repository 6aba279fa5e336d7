// Who reaches whom, through what, and by which way: real browsers and the real server in networks of their own. See docs/nat.md.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cpus, loadavg } from 'node:os';
import { openChromium } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { skipWithoutNamespaces, sweep } from '../lib/netns.mjs';
import { binary } from '../lib/server.mjs';
import { CALLS } from './calls.mjs';
import { CELLS, WAYS, cheapest } from './cells.mjs';
import { LOOKED_AT, look, told } from './looks.mjs';
import { openNetwork } from './network.mjs';
import { startServer } from './server.mjs';

const TARGET_MS = 3000;
const LIMIT_MS = 15_000;
const CLIP = { width: 480, height: 270, fps: 15 };
const PEOPLE = [{ name: 'alice', sender: 71, frequencyHz: 500 }, { name: 'bob', sender: 72, frequencyHz: 800 }];
const RELAYED_BYTES_MIN = 2000;
const PATHS = readFileSync(resolve(import.meta.dirname, '../page/paths.js'), 'utf8');

const HELP = `Who reaches whom, through what, and by which way (needs root).

  --cell NAME   only this cell (may be given several times): ${CELLS.map(({ name }) => name).join(', ')}
  --call NAME   only this call (may be given several times): ${CALLS.map(({ name }) => name).join(', ')}
  --doctor      no calls: what \`madang doctor\` says where the server is, and the page /check where one who calls is. Two cells more:
                ${LOOKED_AT.slice(CELLS.length).map(({ name }) => name).join(', ')}
  --json        for programs
  --strict      end with 1 unless every call is connected within ${TARGET_MS} ms by the cheapest way, or everything is named rightly
  --verbose     what the server says`;

const relayed = (metrics) => ['up', 'down'].reduce((sum, way) => sum + (metrics[`madang_turn_relayed_${way}_bytes_total`] ?? 0), 0);

// What the two sides found, as one row.
const judge = (cell, call, sides, relayedBytes) => {
  const isConnected = sides.every(({ ms }) => ms !== null);
  const row = { cell: cell.name, call: call.name, isConnected, first_ms: isConnected ? Math.max(...sides.map(({ ms }) => ms)) : null, cheapest: cheapest(cell, call), relayed_bytes: relayedBytes, sides };
  if (!isConnected) return row;
  const ways = sides.map(({ way }) => way);
  const dearest = ways.includes(undefined) ? undefined : WAYS[Math.max(...ways.map((way) => WAYS.indexOf(way)))];
  const isByServer = call.between === 'each other' && sides.some((side) => side.isByServer);
  const isCheapest = dearest !== undefined && !isByServer && WAYS.indexOf(dearest) <= WAYS.indexOf(row.cheapest);
  // The browsers and the server must tell the same story.
  const isAgreed = dearest?.startsWith('turn') === relayedBytes >= RELAYED_BYTES_MIN;
  return { ...row, way: dearest, isByServer, isCheapest, isAgreed, isInTime: row.first_ms <= TARGET_MS };
};

const runCell = async (cell, calls, { verbose }) => {
  const network = openNetwork(cell);
  const browsers = [];
  let server;
  try {
    server = await startServer(network, cell);
    if (calls.some(({ name }) => name !== 'aiortc')) {
      for (const person of PEOPLE) {
        browsers.push(
          await openChromium({ ...person, video: videoClip({ ...CLIP, sender: person.sender }), audio: audioClip(person), executable: network.executable(person.name), script: PATHS, flags: ['--ignore-certificate-errors'] }),
        );
      }
    }
    const rows = [];
    for (const call of calls) {
      const before = relayed(await server.metrics());
      const sides = await call.run({ network, server, browsers, limitMs: LIMIT_MS, mediaAddresses: [network.address] });
      rows.push(judge(cell, call, sides, relayed(await server.metrics()) - before));
      console.error(line(rows.at(-1)));
    }
    return rows;
  } finally {
    if (verbose) console.error(server?.log.join(''));
    for (const browser of browsers) await browser.close().catch(() => undefined);
    await server?.stop();
    network.close();
  }
};

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const pairs = (sides) => [...new Set(sides.map(({ pair }) => pair))].join(', ');
const cells = (row) =>
  row.isConnected
    ? ['yes', `${seconds(row.first_ms)}${row.isInTime ? '' : ' (late)'}`, `${row.isByServer ? 'by the server, ' : ''}${row.way ?? '?'} (${pairs(row.sides)})${row.isAgreed ? '' : ', but the server says otherwise'}`, row.isCheapest ? 'yes' : `no: ${row.cheapest}`]
    : ['**no**', '–', '–', `no: ${row.cheapest}`];
const line = (row) => `  ${[row.cell.padEnd(11), row.call.padEnd(7), ...cells(row)].join('  ')}`;

const table = (rows) => {
  const head = ['cell', 'call', 'connected', 'first picture', 'way (candidates, own–far)', 'cheapest that can work'];
  const body = rows.map((row) => [CELLS.find(({ name }) => name === row.cell).what, row.call, ...cells(row)]);
  return asTable(head, body);
};

const asTable = (head, body) => [head, head.map(() => '---'), ...body].map((columns) => `| ${columns.join(' | ')} |`).join('\n');
const chosen = (all, names, what) => {
  const unknown = (names ?? []).find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw new Error(`no ${what} ${unknown}: there are ${all.map(({ name }) => name).join(', ')}`);
  return names ? all.filter(({ name }) => names.includes(name)) : all;
};

// What is said of each cell, instead of calls.
const lookAround = async (wanted, values) => {
  const rows = [];
  for (const cell of wanted) {
    rows.push(await look(cell, values));
    console.error(`  ${told(rows.at(-1)).join('  ')}`);
  }
  console.log(values.json ? JSON.stringify({ server: binary(), rows }, null, 2) : asTable(['cell', '`madang doctor`, where the server is', '`/check`, where one who calls is', 'ways that work there'], rows.map(told)));
  const good = rows.filter(({ doctor, page }) => doctor.isRight && page.isRight).length;
  console.error(`${good} of ${rows.length} named rightly`);
  if (values.strict && good < rows.length) process.exitCode = 1;
};

const main = async () => {
  const { values } = parseArgs({ options: { cell: { type: 'string', multiple: true }, call: { type: 'string', multiple: true }, doctor: { type: 'boolean' }, json: { type: 'boolean' }, strict: { type: 'boolean' }, verbose: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) return console.log(HELP);
  const [wanted, calls] = [chosen(values.doctor ? LOOKED_AT : CELLS, values.cell, 'cell'), chosen(CALLS, values.call, 'call')];
  const lacking = skipWithoutNamespaces();
  if (lacking) throw new Error(lacking);
  sweep();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
  if (values.doctor) return lookAround(wanted, values);
  const rows = [];
  for (const cell of wanted) rows.push(...(await runCell(cell, calls, values)));
  const about = { server: binary(), cores: cpus().length, load: loadavg()[0], target_ms: TARGET_MS };
  console.log(values.json ? JSON.stringify({ ...about, rows }, null, 2) : table(rows));
  const good = rows.filter((row) => row.isConnected && row.isInTime && row.isCheapest && row.isAgreed).length;
  console.error(`${rows.filter(({ isConnected }) => isConnected).length} of ${rows.length} connected, ${good} within ${seconds(TARGET_MS)} by the cheapest way; ${about.cores} cores, load ${about.load.toFixed(1)}`);
  if (values.strict && good < rows.length) process.exitCode = 1;
};

main().catch((error) => {
  console.error(`nat-matrix: ${error.message}`);
  process.exitCode = 2;
});
