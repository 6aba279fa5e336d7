// The relay over TCP and over TLS, for those whose network lets no UDP through.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChromium } from '../lib/browsers.mjs';
import { videoClip } from '../lib/clips.mjs';
import { assertFramesArrive, eventually } from '../lib/measure.mjs';
import { openCabled, skipWithoutNamespaces } from '../lib/netns.mjs';
import { openPeer } from '../lib/peers.mjs';
import { metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const WINDOW_MS = 4000;
const RELAYED_ONLY = { rtcConfig: { iceTransportPolicy: 'relay' } };
const WAYS = {
  tcp: { url: 'turn:', gauge: 'madang_tcp_relay_streams', flags: [] },
  tls: { url: 'turns:', gauge: 'madang_tls_relay_streams', flags: ['--ignore-certificate-errors'] },
};

// Of what the server offers, the page is given this way only.
const offerOnly = (peer, url) =>
  peer.visitor.page.addInitScript((beginning) => {
    const isIt = (offered) => offered.startsWith(beginning) && offered.endsWith('transport=tcp');
    const only = (config) => ({ ...config, iceServers: (config.iceServers ?? []).map((server) => ({ ...server, urls: server.urls.filter(isIt) })) });
    const Plain = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Plain {
      constructor(config = {}) {
        super(only(config));
      }

      setConfiguration(config) {
        super.setConfiguration(only(config));
      }
    };
  }, url);

const relayProtocols = async (peer) => {
  const stats = await peer.visitor.sdk('stats');
  const used = stats.filter(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  return used.map(({ pc, selectedCandidatePairId }) => {
    const pair = stats.find((stat) => stat.pc === pc && stat.id === selectedCandidatePairId);
    const local = stats.find((stat) => stat.pc === pc && stat.id === pair.localCandidateId);
    return `${local.candidateType} ${local.relayProtocol}`;
  });
};

// Allocations and streams, all gauges.
const left = async (server) => {
  const names = ['madang_turn_allocations', 'madang_tcp_relay_streams', 'madang_tls_relay_streams', 'madang_path_streams'];
  return Promise.all(names.map((name) => metricSum(server, name)));
};
const untilNothingIsLeft = async (server) => {
  try {
    await eventually('nothing is left', async () => (await left(server)).every((value) => value === 0), { ms: 10_000 });
  } catch (error) {
    throw new Error(`allocations, streams over TCP, over TLS, of the shards: ${await left(server)}`, { cause: error });
  }
};

describe('relaying over streams', { skip: skipUnlessOwned() }, () => {
  let server;
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'madang-turn-'));
    server = await startServer({ own: true, shards: 2, env: { MADANG_TLS_MODE: 'self-signed', MADANG_TLS_CACHE: folder, MADANG_ICE_TCP: 'false' } });
  });
  after(async () => {
    await server?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const access = async (room, identity) => {
    const answer = await fetch(`${server.url}/turn`, { headers: { authorization: `Bearer ${await joinToken(server, { room, identity })}` } });
    assert.equal(answer.status, 200);
    return (await answer.json()).iceServers[0];
  };

  for (const [way, { url, gauge, flags }] of Object.entries(WAYS)) {
    test(`Chromium over ${way} alone is in the call like any other`, async () => {
      const room = roomName(way);
      const peers = [];
      try {
        peers.push(await openPeer('chromium', { name: way, identity: way, sender: 91, frequencyHz: 500, flags }, CLIP));
        peers.push(await openPeer('chromium', { name: 'direct', identity: 'direct', sender: 92, frequencyHz: 800 }, CLIP));
        const [relayed, direct] = peers;
        await offerOnly(relayed, url);
        for (const peer of peers) {
          const token = await joinToken(server, { room, identity: peer.identity });
          const { ms } = await peer.connect({ url: server.socketUrl, token, single: true, connectOptions: peer === relayed ? RELAYED_ONLY : undefined });
          console.log(`  ${peer.name} is in after ${Math.round(ms)} ms`);
          await peer.publish(CLIP);
        }
        const used = await eventually(`${way} carries something`, async () => {
          const found = await relayProtocols(relayed);
          return found.length > 0 && found;
        });
        assert.deepEqual([...new Set(used)], [`relay ${way}`]);
        assert.ok((await metricSum(server, gauge)) > 0, gauge);
        const pairs = [[relayed, direct], [direct, relayed]];
        for (const [from, to] of pairs) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).some((frame) => frame.id >= 0), { ms: 20_000 });
        await assertFramesArrive(
          pairs.map(([from, to]) => ({ who: `${to.name} sees ${from.name}`, sent: () => from.sent(), painted: () => to.frames(from.identity), sender: from.sender })),
          { windowMs: WINDOW_MS },
        );
        assert.equal(await metricSum(server, 'madang_path_dropped_stream_queue_total'), 0, 'nothing was late');
        for (const peer of peers) await peer.leave();
        await untilNothingIsLeft(server);
      } finally {
        for (const peer of peers) await peer.close();
      }
    });
  }

  test('all ways are offered, the cheapest first; aiortc meets another over TCP', async () => {
    const room = roomName('aiortc');
    const members = [];
    const pair = await openPeer('relay');
    try {
      for (const identity of ['one', 'other']) {
        const member = await openPeer('node', { name: identity, identity });
        members.push(member);
        await member.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity }), single: true });
      }
      const [one, other] = [await access(room, 'one'), await access(room, 'other')];
      const ways = one.urls.map((url) => url.replace(/:[^?]*\??/, ' ').trim());
      assert.deepEqual([...new Set(ways)], ['stun', 'turn transport=udp', 'turn transport=tcp', 'turns transport=tcp']);
      const byTcp = ({ urls, ...credentials }) => ({ urls: urls.filter((url) => url.startsWith('turn:') && url.endsWith('=tcp')), ...credentials });
      const met = await pair.call('meet', { one: byTcp(one), other: byTcp(other), messages: 50, seconds: 15 });
      assert.deepEqual(met, { echoed: 50, types: ['relay'], state: 'completed' });
      assert.ok((await metricSum(server, 'madang_path_stream_received_bytes_total')) > 50_000);
    } finally {
      await pair.close();
      for (const member of members) {
        await member.leave();
        await member.close();
      }
    }
    await untilNothingIsLeft(server);
  });
});

describe('a network that drops UDP', { skip: skipUnlessOwned() || skipWithoutNamespaces() }, () => {
  let network;
  let server;
  const people = [];
  before(async () => {
    network = openCabled();
    network.dropUdp(true);
    server = await startServer({ own: true, address: network.address, env: { MADANG_ICE_TCP: 'false' } });
  });
  after(async () => {
    for (const person of people) await person.close();
    await server?.stop();
    network?.close();
  });

  test('the room app finds the way over TCP by itself', async () => {
    const url = `${server.url}/r/${roomName('dropped')}`;
    const flags = [`--unsafely-treat-insecure-origin-as-secure=${server.url}`];
    for (const traits of [{ name: 'inside', sender: 91, executable: network.executable }, { name: 'outside', sender: 92 }]) {
      const person = await openChromium({ ...traits, frequencyHz: 500, flags: traits.executable ? [...flags, '--no-sandbox'] : flags, video: videoClip({ sender: traits.sender, ...CLIP }) });
      people.push(person);
      await person.goto(url);
      await person.waitFor('prejoin-join');
      await person.type('prejoin-name', person.name);
      await person.click('prejoin-join');
      await person.waitFor('room');
      person.identity = await person.evaluate(() => window.__madang.room.localParticipant.identity);
    }
    const [inside, outside] = people;
    for (const [to, from] of [[inside, outside], [outside, inside]]) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).length > 5, { ms: 20_000 });
    assert.ok((await metricSum(server, 'madang_tcp_relay_streams')) > 0);
  });
});
