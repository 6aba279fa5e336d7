// A browser that may use nothing but relayed addresses is in the call like any other, whichever thread it arrives at; its relaying ends with its stay.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { metric, metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { openPeer } from '../lib/peers.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertFramesArrive, assertTone, eventually } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const WINDOW_MS = 4000;
const ABSENT_HZ = 1700;

// What goes over each connection: the types of the local candidates of the pairs in use.
const paths = async (peer) => {
  const stats = await peer.visitor.sdk('stats');
  const used = stats.filter(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  return used.map(({ pc, selectedCandidatePairId }) => {
    const pair = stats.find((stat) => stat.pc === pc && stat.id === selectedCandidatePairId);
    const local = stats.find((stat) => stat.pc === pc && stat.id === pair.localCandidateId);
    return { pc, type: local.candidateType, protocol: local.relayProtocol };
  });
};

for (const [shards, single, isApart] of [[1, true, false], [3, false, true]]) {
  describe(`${shards} shard${shards > 1 ? 's' : ''}, ${single ? 'one connection' : 'two connections'} each, the relay ${isApart ? 'beside the port of media' : 'at it'}`, { skip: skipUnlessOwned() }, () => {
    let server;
    let relayed;
    let direct;
    const room = roomName(`turn${shards}`);
    const join = async (peer, connectOptions) => {
      const { ms } = await peer.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: peer.identity }), single, connectOptions });
      await peer.publish(CLIP);
      return ms;
    };

    before(async () => {
      server = await startServer({ own: true, shards, env: { MADANG_ROOMS_PEERS_PER_SHARD: '1', MADANG_TURN_UDP_PORT: isApart ? '0' : 'off' } });
      relayed = [await openPeer('chromium', { name: 'relayed', identity: 'relayed', sender: 91, frequencyHz: 500 }, CLIP), await openPeer('chromium', { name: 'relayed too', identity: 'relayed-too', sender: 92, frequencyHz: 800 }, CLIP)];
      direct = await openPeer('chromium', { name: 'direct', identity: 'direct', sender: 93, frequencyHz: 1100 }, CLIP);
    });
    after(async () => {
      for (const peer of [...(relayed ?? []), direct]) await peer?.close();
      await server?.stop();
    });

    const ask = async (identity) => fetch(`${server.url}/turn`, { headers: { authorization: `Bearer ${await joinToken(server, { room, identity })}` } });

    // Joining tells of no relay over UDP at the port of media, so that one is asked for, by the one who is in already.
    test('two join by relay alone, one directly', async () => {
      await join(direct);
      const offered = (await (await ask('direct')).json()).iceServers[0];
      const iceServers = [{ ...offered, urls: offered.urls.filter((url) => url.endsWith('?transport=udp')) }];
      const rtcConfig = { iceTransportPolicy: 'relay', ...(isApart ? {} : { iceServers }) };
      for (const peer of relayed) console.log(`  ${peer.name} is in after ${Math.round(await join(peer, { rtcConfig }))} ms`);
      for (const peer of relayed) {
        const used = await eventually(`${peer.name} sends and gets something`, async () => {
          const found = await paths(peer);
          return found.length >= (single ? 1 : 2) && found;
        });
        for (const path of used) assert.deepEqual({ type: path.type, protocol: path.protocol }, { type: 'relay', protocol: 'udp' }, `${peer.name}: ${JSON.stringify(used)}`);
      }
      for (const { type } of await paths(direct)) assert.notEqual(type, 'relay', 'who can reach us directly does');
      assert.ok((await metricSum(server, 'madang_turn_allocations')) >= 2);
    });

    test('every frame and every tone reaches everyone', async () => {
      const everyone = [...relayed, direct];
      const pairs = everyone.flatMap((from) => everyone.filter((to) => to !== from).map((to) => [from, to]));
      for (const [from, to] of pairs) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).some((frame) => frame.id >= 0), { ms: 20_000 });
      const before = await metricSum(server, 'madang_turn_relayed_down_bytes_total');
      await assertFramesArrive(
        pairs.map(([from, to]) => ({ who: `${to.name} sees ${from.name}`, sent: () => from.sent(), painted: () => to.frames(from.identity), sender: from.sender })),
        { windowMs: WINDOW_MS },
      );
      assert.ok((await metricSum(server, 'madang_turn_relayed_down_bytes_total')) - before > 50_000, 'pictures are relayed');
      for (const [from, to] of pairs) {
        const levels = await eventually(`${to.name} has the sound of ${from.name}`, () => to.hear(from.identity, [500, 800, 1100, ABSENT_HZ], 700));
        assertTone(levels, from.frequencyHz, ABSENT_HZ, `${to.name} hears ${from.name}`);
      }
      for (const name of ['madang_turn_dropped_bandwidth_total', 'madang_turn_dropped_malformed_total', 'madang_turn_denied_foreign_total']) assert.equal(await metricSum(server, name), 0, name);
    });

    test('a member is told how to relay, others are not', async () => {
      const answer = await ask('relayed');
      assert.equal(answer.status, 200);
      const { iceServers, ttl_s: ttl } = await answer.json();
      assert.equal(ttl, 3600);
      const { urls } = iceServers[0];
      const [, port] = /^stun:[0-9.]+:([0-9]+)$/.exec(urls[0]);
      assert.equal(Number(port) === server.udpPort, !isApart, port);
      assert.match(urls.find((url) => url.startsWith('turn:')), new RegExp(`^turn:[0-9.]+:${port}\\?transport=udp$`));
      assert.ok(iceServers[0].username.length > 10 && iceServers[0].credential.length === 28);
      assert.equal((await ask('nobody')).status, 404);
      assert.equal((await fetch(`${server.url}/turn`)).status, 401);
    });

    test('members reach each other by relay, and nobody in another room', async () => {
      const stranger = await openPeer('node', { name: 'stranger', identity: 'stranger' });
      const pair = await openPeer('relay');
      try {
        const elsewhere = { room: roomName('elsewhere'), identity: 'stranger' };
        await stranger.connect({ url: server.socketUrl, token: await joinToken(server, elsewhere), single });
        const access = async (answer) => (await (await answer).json()).iceServers[0];
        const [one, other] = [await access(ask('relayed')), await access(ask('direct'))];
        const theirs = await access(fetch(`${server.url}/turn?access_token=${await joinToken(server, elsewhere)}`));
        const met = await pair.call('meet', { one, other, messages: 50, seconds: 15 });
        assert.deepEqual(met, { echoed: 50, types: ['relay'], state: 'completed' });
        const denied = await metricSum(server, 'madang_turn_denied_special_total');
        const kept = await pair.call('meet', { one, other: theirs, messages: 1, seconds: 4 });
        assert.deepEqual({ echoed: kept.echoed, types: kept.types }, { echoed: 0, types: ['relay'] });
        assert.ok((await metricSum(server, 'madang_turn_denied_special_total')) > denied, 'they were refused');
        const wrong = { ...one, credential: 'wrong' };
        const refused = await pair.call('meet', { one: wrong, other: wrong, messages: 1, seconds: 2 });
        assert.deepEqual({ echoed: refused.echoed, types: refused.types }, { echoed: 0, types: [] }, 'a wrong password gets no address');
      } finally {
        await pair.close();
        await stranger.leave();
        await stranger.close();
      }
    });

    test('it ends when they leave', async () => {
      for (const peer of relayed) await peer.leave();
      await direct.leave();
      await eventually('no allocation is left', async () => (await metricSum(server, 'madang_turn_allocations')) === 0);
      assert.equal([...(await metric(server, 'madang_turn_allocations')).keys()].length, shards);
      await eventually('no connection is left', async () => (await metricSum(server, 'madang_connections')) === 0);
    });
  });
}
