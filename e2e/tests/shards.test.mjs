// One room over several shards is the same room; and a packet crosses to another shard once, however many watch there.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { metric, metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { openPeer } from '../lib/peers.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertFramesArrive, assertTone, eventually, wait } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const WINDOW_MS = 4000;
const ABSENT_HZ = 1700;
const GAUGES = ['rooms', 'peers', 'remote_peers', 'connections', 'tracks', 'remote_tracks', 'subscriptions', 'routes'];

for (const shards of [1, 2, 4]) {
  describe(`${shards} shard${shards > 1 ? 's' : ''}`, { skip: skipUnlessOwned() }, () => {
    let server;
    let publishers = [];
    let viewers = [];
    const everyone = () => [...publishers, ...viewers];

    before(async () => {
      // One member of a room per shard before it spills over: the members of the room go around the shards.
      server = await startServer({ own: true, shards, env: { MADANG_ROOMS_PEERS_PER_SHARD: '1' } });
      publishers = [await openPeer('chromium', { sender: 71, frequencyHz: 500 }, CLIP), await openPeer('python', { sender: 72, frequencyHz: 800 })];
      for (let i = 0; i < 2 * shards - 2 || i < 2; i += 1) viewers.push(await openPeer('node', { name: `viewer-${i}`, identity: `viewer-${i}` }));
    });
    after(async () => {
      for (const peer of everyone()) await peer.close();
      await server?.stop();
    });

    test('all join, all shards have some of them', async () => {
      const room = roomName(`shards${shards}`);
      for (const peer of everyone()) {
        await peer.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: peer.identity }), single: everyone().indexOf(peer) % 2 === 0 });
      }
      for (const peer of publishers) await peer.publish(CLIP);
      const peers = await metric(server, 'madang_peers');
      console.log(`  peers by shard: ${[...peers.entries()].map(([label, count]) => `${label}=${count}`).join(' ')}`);
      assert.equal(peers.size, shards);
      assert.ok([...peers.values()].every((count) => count > 0), 'every shard has members of the room');
    });

    test('every frame reaches everyone, each packet crosses once', async () => {
      const pairs = publishers.flatMap((from) => everyone().filter((to) => to !== from).map((to) => [from, to]));
      for (const [from, to] of pairs) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).some((frame) => frame.id >= 0), { ms: 20_000 });
      await wait(1500);
      const counted = async () => ({ in: await metricSum(server, 'madang_rtp_in_total'), across: await metricSum(server, 'madang_link_packets_out_total'), arrived: await metricSum(server, 'madang_link_packets_in_total') });
      const first = await counted();
      await assertFramesArrive(
        pairs.map(([from, to]) => ({ who: `${to.name} sees ${from.name}`, sent: () => from.sent(), painted: () => to.frames(from.identity), sender: from.sender })),
        { windowMs: WINDOW_MS },
      );
      const last = await counted();
      const [entered, across, arrived] = [last.in - first.in, last.across - first.across, last.arrived - first.arrived];
      console.log(`  ${entered} RTP packets came in, ${across} went across, ${arrived} arrived: ${(across / entered).toFixed(3)} per packet (at most ${shards - 1})`);
      assert.ok(entered > 200, `${entered} RTP packets came in`);
      // A packet may be counted on one side of the window's edge and cross on the other.
      assert.ok(across <= entered * (shards - 1) * 1.02, `${across} crossings of ${entered} packets over ${shards} shards: more than once per packet and other shard`);
      if (shards > 1) assert.ok(across > entered * 0.2, 'packets do cross');
      assert.ok(Math.abs(across - arrived) <= across * 0.02 + 5, `${across} packets went across, ${arrived} arrived`);
    });

    test('tones and data reach everyone', async () => {
      const frequencies = [500, 800, ABSENT_HZ];
      for (const from of publishers) {
        for (const to of everyone().filter((peer) => peer !== from)) {
          const levels = await eventually(`${to.name} has the sound of ${from.name}`, () => to.hear(from.identity, frequencies, 700));
          assertTone(levels, from.frequencyHz, ABSENT_HZ, `${to.name} hears ${from.name}`);
        }
      }
      for (const from of everyone()) for (let i = 0; i < 10; i += 1) await from.sendData(`${from.identity} ${i}`, true);
      for (const to of everyone()) {
        for (const from of everyone().filter((peer) => peer !== to)) {
          const got = async () => (await to.received()).data.filter((packet) => packet.from === from.identity).map(({ text }) => text);
          await eventually(`${to.name} has the data of ${from.name}`, async () => (await got()).length >= 10).catch(() => {});
          assert.deepEqual(await got(), Array.from({ length: 10 }, (_, i) => `${from.identity} ${i}`), `data ${from.name} -> ${to.name}`);
        }
      }
    });

    test('after everyone left nothing is left', async () => {
      for (const peer of everyone()) await peer.leave();
      const left = async () => Object.fromEntries(await Promise.all(GAUGES.map(async (name) => [name, await metricSum(server, `madang_${name}`)])));
      const clean = (counts) => Object.entries(counts).every(([name, count]) => name === 'rooms' || count === 0);
      await eventually('all gauges are zero', async () => clean(await left())).catch(() => {});
      const counts = await left();
      assert.deepEqual(Object.fromEntries(Object.entries(counts).filter(([name]) => name !== 'rooms')), Object.fromEntries(GAUGES.filter((name) => name !== 'rooms').map((name) => [name, 0])));
      assert.equal(await metricSum(server, 'madang_faults_total'), 0, 'connections ended by a panic');
    });
  });
}
