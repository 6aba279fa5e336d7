// A TURN client of few words, for what no browser asks. As a program it tries peers with a server, from the network that it is started in, and prints
// what it was told: `node turn_client.mjs <server> <port> <user> <password> <peer>…`.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const COOKIE = Buffer.from([0x21, 0x12, 0xa4, 0x42]);
const METHODS = { allocate: 0x003, send: 0x016, permit: 0x008, bind: 0x009 };
const ANSWER_MS_MAX = 5_000;

const attribute = (kind, value) => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(kind, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
};

const attributes = function* (message) {
  for (let at = 20; at + 4 <= message.length; ) {
    const length = message.readUInt16BE(at + 2);
    yield [message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length)];
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
};

const find = (message, kind) => [...attributes(message)].find(([of]) => of === kind)?.[1];
const xored = (bytes, mask) => Buffer.from(bytes.map((byte, index) => byte ^ mask[index]));

const bytesOf = (ip) => {
  if (!ip.includes(':')) return Buffer.from(ip.split('.').map(Number));
  const [left, right] = ip.split('::').map((side) => (side === '' ? [] : side.split(':')));
  const groups = right === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]));
};

const xorAddress = (ip, port, transaction) => {
  const bytes = bytesOf(ip);
  const head = Buffer.from([0, bytes.length === 4 ? 1 : 2, (port >> 8) ^ COOKIE[0], (port & 0xff) ^ COOKIE[1]]);
  return Buffer.concat([head, xored(bytes, Buffer.concat([COOKIE, transaction]))]);
};

export const openTurnClient = async ({ server, port, user, password }) => {
  const socket = createSocket('udp4');
  socket.connect(port, server);
  await once(socket, 'connect');
  let credentials;

  const message = (method, make) => {
    const transaction = randomBytes(12);
    const write = (parts, more = 0) => {
      const body = Buffer.concat(parts);
      const head = Buffer.alloc(4);
      head.writeUInt16BE(METHODS[method], 0);
      head.writeUInt16BE(body.length + more, 2);
      return Buffer.concat([head, COOKIE, transaction, body]);
    };
    const parts = make(transaction);
    if (!credentials || method === 'send') return { transaction, bytes: write(parts) };
    parts.push(attribute(0x0006, Buffer.from(user)), attribute(0x0014, credentials.realm), attribute(0x0015, credentials.nonce));
    const key = createHash('md5').update(`${user}:${credentials.realm}:${password}`).digest();
    const integrity = createHmac('sha1', key).update(write(parts, 24)).digest();
    return { transaction, bytes: write([...parts, attribute(0x0008, integrity)]) };
  };

  // 0, or the code of the error.
  const ask = async (method, make) => {
    const { transaction, bytes } = message(method, make);
    const answered = new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`no answer to ${method}`)), ANSWER_MS_MAX);
      const listen = (said) => {
        if (!said.subarray(8, 20).equals(transaction)) return;
        clearTimeout(late);
        socket.off('message', listen);
        done(said);
      };
      socket.on('message', listen);
    });
    socket.send(bytes);
    const said = await answered;
    const error = find(said, 0x0009);
    return { code: error ? error[2] * 100 + error[3] : 0, said };
  };
  const peers = (all) => (transaction) => all.map(([ip, at]) => attribute(0x0012, xorAddress(ip, at, transaction)));

  return {
    close: () => socket.close(),
    // The relayed addresses' port.
    allocate: async () => {
      const wish = () => [attribute(0x0019, Buffer.from([17, 0, 0, 0])), attribute(0x8000, Buffer.from([2, 0, 0, 0]))];
      const { said } = await ask('allocate', wish);
      credentials = { realm: find(said, 0x0014), nonce: find(said, 0x0015) };
      const done = await ask('allocate', wish);
      if (done.code !== 0) throw new Error(`Allocate: ${done.code}`);
      const relayed = find(done.said, 0x0016);
      return { ip: [...xored(relayed.subarray(4, 8), COOKIE)].join('.'), port: relayed.readUInt16BE(2) ^ COOKIE.readUInt16BE(0) };
    },
    permit: async (...all) => (await ask('permit', peers(all))).code,
    bind: async (number, peer) => (await ask('bind', (transaction) => [attribute(0x000c, Buffer.from([number >> 8, number & 0xff, 0, 0])), ...peers([peer])(transaction)])).code,
    send: (payload, ...all) => socket.send(message('send', (transaction) => [...peers(all)(transaction), attribute(0x0013, Buffer.from(payload))]).bytes),
    sendByChannel: (number, payload) => socket.send(Buffer.concat([Buffer.from([number >> 8, number & 0xff, 0, payload.length]), Buffer.from(payload)])),
    // The next that is channel data.
    heard: () =>
      new Promise((done, failed) => {
        const late = setTimeout(() => failed(new Error('nothing comes back')), ANSWER_MS_MAX);
        const listen = (said) => {
          if (said[0] < 0x40 || said[0] > 0x7f) return;
          clearTimeout(late);
          socket.off('message', listen);
          done(said.subarray(4, 4 + said.readUInt16BE(2)).toString());
        };
        socket.on('message', listen);
      }),
  };
};

// Both ways with a peer of our own at `here`, then each peer by each method; what reaches `here` that should not is told.
const tryPeers = async ([server, port, user, password, here, ...others]) => {
  const client = await openTurnClient({ server, port: Number(port), user, password });
  const peer = createSocket('udp4').bind(0, here);
  await once(peer, 'listening');
  const at = [here, peer.address().port];
  const arrived = [];
  peer.on('message', (payload, { address, port: from }) => {
    arrived.push({ payload: payload.toString(), from: `${address}:${from}` });
    peer.send(`${payload} back`, from, address);
  });
  const relayed = await client.allocate();
  const result = { relayed: `${relayed.ip}:${relayed.port}`, denied: {} };
  result.bound = await client.bind(0x4000, at);
  const heard = client.heard();
  client.sendByChannel(0x4000, 'there');
  result.heard = await heard;
  for (const ip of others) {
    const codes = [await client.permit([ip, 9]), await client.permit(at, [ip, 9]), await client.bind(0x4001, [ip, 9])];
    client.send('nowhere', [ip, 9]);
    // Of two the first counts.
    client.send('nowhere', [ip, 9], at);
    result.denied[ip] = codes;
  }
  const last = client.heard();
  client.sendByChannel(0x4000, 'still');
  await last;
  result.arrived = arrived;
  client.close();
  peer.close();
  return result;
};

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(await tryPeers(process.argv.slice(2))));
