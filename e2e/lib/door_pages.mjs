// Pages of old programs, bundled in memory and served from a loopback port. They differ from real ones by having functions for buttons.
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { build } from 'esbuild';

const HERE = import.meta.dirname;
let served;

// `name`: of peers/door_<name>.js.
export const doorPage = async (name) => {
  served ??= (async () => {
    const scripts = new Map();
    for (const each of ['kurento', 'ertc', 'mesh', 'whip']) {
      const { outputFiles } = await build({ entryPoints: [resolve(HERE, `../peers/door_${each}.js`)], bundle: true, write: false, format: 'iife', target: 'es2022', define: { global: 'window' }, logLevel: 'error' });
      scripts.set(`/${each}.js`, outputFiles[0].text);
    }
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url, 'http://localhost');
      const script = scripts.get(pathname);
      response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html; charset=utf-8' });
      response.end(script ?? `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Old page</title><link rel="icon" href="data:,"></head><body><script src="${pathname}.js"></script></body></html>`);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    server.unref();
    return `http://127.0.0.1:${server.address().port}/`;
  })();
  return (await served) + name;
};
