// A TCP front of the server: writes down which paths were asked for, and can cut the connections that go through it.
import { connect, createServer } from 'node:net';

export const openWire = async (server) => {
  const { hostname, port } = new URL(server.url);
  const asked = [];
  const open = new Map();
  const front = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const ends = { client, upstream, path: '' };
    open.set(client, ends);
    client.once('data', (chunk) => {
      const [, path] = /^\w+ ([^ ?]+)/.exec(chunk.toString('latin1')) ?? [];
      ends.path = path ?? '';
      asked.push(ends.path);
    });
    client.pipe(upstream);
    upstream.pipe(client);
    const close = () => {
      open.delete(client);
      client.destroy();
      upstream.destroy();
    };
    for (const end of [client, upstream]) {
      end.on('error', close);
      end.on('close', close);
    }
  });
  await new Promise((done) => front.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${front.address().port}`;
  const cut = () => {
    const count = open.size;
    for (const { client, upstream } of open.values()) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    return count;
  };
  return {
    url,
    socketUrl: url.replace(/^http/, 'ws'),
    asked,
    cut,
    close: () => {
      cut();
      return new Promise((done) => front.close(done));
    },
  };
};
