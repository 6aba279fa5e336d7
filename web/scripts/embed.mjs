// The elements for other people's pages: one file each that needs no other, usable as a module and as a plain script.
// Ends with 1 when one of them is larger than it may be.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const GZIP_BYTES_MAX = 8_192;
const root = fileURLToPath(new URL('..', import.meta.url));
let isTooLarge = false;
for (const name of ['watch', 'publish']) {
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    build: {
      target: 'es2022',
      outDir: 'dist/embed',
      emptyOutDir: false,
      lib: { entry: `src/embed/${name}.ts`, name: `madang_${name}`, formats: ['iife'], fileName: () => `${name}.js` },
    },
  });
  const bytes = readFileSync(new URL(`../dist/embed/${name}.js`, import.meta.url));
  // As the server packs it.
  const packed = gzipSync(bytes, { level: 6 }).length;
  console.log(`dist/embed/${name}.js ${bytes.length} B, gzip ${packed} B of ${GZIP_BYTES_MAX}`);
  isTooLarge ||= packed > GZIP_BYTES_MAX;
}
if (isTooLarge) {
  console.error('remedy: an element has to stay below the limit; what is rarely needed does not belong in it');
  process.exit(1);
}
