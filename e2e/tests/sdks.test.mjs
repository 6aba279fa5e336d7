// Three SDKs in one room, once over each signalling path: livekit-client in Chromium, the Python SDK, the Node SDK. Everything goes all ways.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { startServer } from '../lib/server.mjs';
import { openPeer } from '../lib/peers.mjs';
import { openWire } from '../lib/wire.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertFramesArrive, assertTone, eventually, wait } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const WINDOW_MS = 5000;
const ABSENT_HZ = 1700;
const LOSSY_SENT = 20;
const LOSSY_GOT_MIN = 18;
const LONG = 'ㅁ'.repeat(7000);

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

for (const single of [true, false]) {
  describe(single ? 'over /rtc/v1 (one peer connection)' : 'over /rtc (two peer connections)', () => {
    const peers = [];
    let wire;
    const pairs = () => peers.flatMap((from) => peers.filter((to) => to !== from).map((to) => [from, to]));

    before(async () => {
      wire = await openWire(server);
      const traits = { chromium: { sender: 11, frequencyHz: 500 }, python: { sender: 12, frequencyHz: 800 }, node: { sender: 13, frequencyHz: 1100 } };
      for (const [kind, each] of Object.entries(traits)) peers.push(await openPeer(kind, each, CLIP));
    });
    after(async () => {
      for (const peer of peers) await peer.close();
      await wire.close();
    });

    test('they join and publish', async () => {
      const room = roomName(single ? 'v1' : 'v0');
      const times = [];
      for (const peer of peers) {
        const { asked, socketUrl } = wire;
        asked.length = 0;
        const { ms } = await peer.connect({ url: socketUrl, token: await joinToken(server, { room, identity: peer.identity }), single });
        times.push(`${peer.name} ${ms.toFixed(0)} ms`);
        assert.deepEqual(asked, [single ? '/rtc/v1' : '/rtc'], `paths that ${peer.name} asked for`);
      }
      console.log(`  joined: ${times.join(', ')}`);
      for (const peer of peers) await peer.publish(CLIP);
      for (const [from, to] of pairs()) await eventually(`${to.name} knows ${from.name}`, async () => (await to.participants()).includes(from.identity));
    });

    test('video: every frame of everyone reaches everyone', async () => {
      for (const [from, to] of pairs()) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).some((frame) => frame.id >= 0), { ms: 20_000 });
      await wait(1500);
      await assertFramesArrive(
        pairs().map(([from, to]) => ({ who: `${to.name} sees ${from.name}`, sent: () => from.sent(), painted: () => to.frames(from.identity), sender: from.sender })),
        { windowMs: WINDOW_MS },
      );
    });

    test('audio: everyone hears the tone of everyone', async () => {
      const frequencies = [...peers.map((peer) => peer.frequencyHz), ABSENT_HZ];
      const listen = async (to) => {
        for (const from of peers.filter((peer) => peer !== to)) {
          const levels = await eventually(`${to.name} has the sound of ${from.name}`, () => to.hear(from.identity, frequencies));
          console.log(`  ${assertTone(levels, from.frequencyHz, ABSENT_HZ, `${from.name} -> ${to.name}`)}`);
        }
      };
      await Promise.all(peers.map(listen));
    });

    test('data: reliable in order and complete, lossy nearly so, and only to whom it is meant', async () => {
      for (const from of peers) {
        for (let i = 0; i < 50; i += 1) await from.sendData(`reliable ${i}`, true);
        for (let i = 0; i < LOSSY_SENT; i += 1) await from.sendData(`lossy ${i}`, false);
      }
      for (const [from, to] of pairs()) await from.sendData(`for ${to.identity}`, true, to.identity);
      const of = async (to, from) => (await to.received()).data.filter((packet) => packet.from === from.identity);
      for (const [from, to] of pairs()) {
        await eventually(`${to.name} has the last of ${from.name}`, async () => (await of(to, from)).some(({ text }) => text === `for ${to.identity}`)).catch(() => {});
      }
      await wait(500);
      for (const [from, to] of pairs()) {
        const got = await of(to, from);
        const reliable = got.filter((packet) => packet.reliable).map(({ text }) => text);
        const expected = [...Array.from({ length: 50 }, (_, i) => `reliable ${i}`), `for ${to.identity}`];
        assert.deepEqual(reliable, expected, `reliable data ${from.name} -> ${to.name}`);
        assert.ok(got.every(({ topic }) => topic === 'e2e'), `topics ${from.name} -> ${to.name}`);
        const lossy = got.filter((packet) => !packet.reliable);
        assert.ok(lossy.length >= LOSSY_GOT_MIN && lossy.length <= LOSSY_SENT, `lossy data ${from.name} -> ${to.name}: ${lossy.length} of ${LOSSY_SENT}`);
        console.log(`  ${from.name} -> ${to.name}: ${reliable.length} reliable in order, ${lossy.length}/${LOSSY_SENT} lossy`);
      }
    });

    test('RPC: short and longer than one packet', async () => {
      for (const [from, to] of pairs()) {
        const payload = 'x'.repeat(20_000);
        assert.equal(await from.rpc(to.identity, 'length', payload), `${to.identity} got 20000 from ${from.identity}`, `${from.name} calls ${to.name}`);
        assert.equal(await from.rpc(to.identity, 'echo', LONG), LONG, `${from.name} gets ${LONG.length} characters back from ${to.name}`);
      }
      console.log(`  ${pairs().length} pairs: 20000 bytes there, ${Buffer.byteLength(LONG)} bytes there and back`);
    });

    test('text streams: a long text arrives whole at everyone', async () => {
      for (const from of peers) await from.sendText(`${from.identity}: ${LONG}`);
      for (const [from, to] of pairs()) {
        const texts = async () => (await to.received()).texts.filter((each) => each.from === from.identity).map(({ text }) => text);
        await eventually(`${to.name} has the text of ${from.name}`, async () => (await texts()).length > 0);
        assert.deepEqual(await texts(), [`${from.identity}: ${LONG}`]);
      }
      console.log(`  ${pairs().length} pairs: ${Buffer.byteLength(LONG)} bytes of text`);
    });
  });
}
