// What a visitor's browser loads, compressed: the quiet screens first, the room when it is needed.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const folder = new URL('../dist/', import.meta.url);
const assets = readdirSync(new URL('assets/', folder)).map((name) => `assets/${name}`);
for (const name of ['index.html', ...assets]) {
  const bytes = readFileSync(new URL(name, folder));
  console.log(`${name.padEnd(34)} ${String(bytes.length).padStart(8)} B  gzip ${String(gzipSync(bytes, { level: 9 }).length).padStart(7)} B`);
}
