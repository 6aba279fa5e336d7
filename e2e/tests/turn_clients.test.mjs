// Clients of others, relayed only: Firefox in a call, and coturn's own generator from client to client.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assertFramesArrive, eventually } from '../lib/measure.mjs';
import { openPeer } from '../lib/peers.mjs';
import { metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';

const CLIP = { width: 320, height: 180, fps: 10 };
const WINDOW_MS = 4000;
const GENERATOR = 'turnutils_uclient';
const skipWithoutGenerator = spawnSync('which', [GENERATOR]).status === 0 ? false : `${GENERATOR} is not here (Debian's package coturn has it)`;

// What carries a connection, by each browser's own account.
const waysInUse = async (peer) => {
  const stats = await peer.visitor.sdk('stats');
  const pairs = stats.filter(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
  const locals = pairs.map((pair) => stats.find((stat) => stat.pc === pair.pc && stat.id === pair.localCandidateId));
  return locals.map(({ candidateType, relayProtocol }) => `${candidateType} ${relayProtocol}`);
};

describe('clients of others', { skip: skipUnlessOwned() }, () => {
  let server;
  let folder;
  let member;
  const room = roomName('clients');
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'madang-turn-'));
    server = await startServer({ own: true, shards: 2, env: { MADANG_TLS_MODE: 'self-signed', MADANG_TLS_CACHE: folder } });
    member = await openPeer('node', { name: 'member', identity: 'member' });
    await member.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: 'member' }), single: true });
  });
  after(async () => {
    await member?.close();
    await server?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const access = async () => {
    const answer = await fetch(`${server.url}/turn`, { headers: { authorization: `Bearer ${await joinToken(server, { room, identity: 'member' })}` } });
    assert.equal(answer.status, 200);
    return (await answer.json()).iceServers[0];
  };
  const beginning = (offered, scheme, transport) => offered.urls.filter((url) => url.startsWith(`${scheme}:`) && url.endsWith(`=${transport}`));

  for (const transport of ['udp', 'tcp']) {
    test(`Firefox over ${transport} alone is in the call like any other`, async () => {
      const offered = await access();
      const iceServers = [{ ...offered, urls: beginning(offered, 'turn', transport) }];
      const peers = [];
      try {
        const call = roomName(`firefox-${transport}`);
        for (const [kind, traits, connectOptions] of [
          ['firefox', { name: 'relayed', identity: 'relayed', sender: 94, frequencyHz: 500 }, { rtcConfig: { iceTransportPolicy: 'relay', iceServers } }],
          ['chromium', { name: 'direct', identity: 'direct', sender: 95, frequencyHz: 800 }],
        ]) {
          const peer = await openPeer(kind, traits, CLIP);
          peers.push(peer);
          await peer.connect({ url: server.socketUrl, token: await joinToken(server, { room: call, identity: peer.identity }), single: true, connectOptions });
          await peer.publish(CLIP);
        }
        const [relayed, direct] = peers;
        const used = await eventually(`${transport} carries something`, async () => {
          const found = await waysInUse(relayed);
          return found.length > 0 && found;
        });
        assert.deepEqual([...new Set(used)], [`relay ${transport}`]);
        const pairs = [[relayed, direct], [direct, relayed]];
        for (const [from, to] of pairs) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).some((frame) => frame.id >= 0), { ms: 20_000 });
        await assertFramesArrive(
          pairs.map(([from, to]) => ({ who: `${to.name} sees ${from.name}`, sent: () => from.sent(), painted: () => to.frames(from.identity), sender: from.sender })),
          { windowMs: WINDOW_MS },
        );
        for (const peer of peers) await peer.leave();
        await eventually('no allocation is left', async () => (await metricSum(server, 'madang_turn_allocations')) === 0);
      } finally {
        for (const peer of peers) await peer.close();
      }
    });
  }

  const generate = async (scheme, transport, flags) => {
    const offered = await access();
    const [, host, port] = beginning(offered, scheme, transport).map((url) => /^turns?:([0-9.]+):(\d+)/.exec(url)).find(Boolean);
    const asked = [...flags, '-y', '-u', offered.username, '-w', offered.credential, '-p', port, host];
    const run = await promisify(execFile)(GENERATOR, asked, { timeout: 60_000 }).catch((error) => error);
    const said = run.stdout + run.stderr;
    const [sent, received] = ['send', 'recv'].map((way) => Number(said.match(new RegExp(`tot_${way}_msgs=(\\d+)`, 'g'))?.at(-1).split('=')[1]));
    return { said, sent, received };
  };

  // It takes what one read of TLS brought for one message, and forgets the frames that came with it: over TLS our counts tell.
  for (const [scheme, transport, flags] of [['turn', 'udp', []], ['turn', 'tcp', ['-t']], ['turns', 'tcp', ['-t', '-S']]]) {
    for (const [way, indications] of [['channels', []], ['indications', ['-s']]]) {
      test(`coturn's generator over ${scheme} ${transport} by ${way}: nothing is lost`, { skip: skipWithoutGenerator }, async () => {
        const names = ['madang_turn_relayed_up_total', 'madang_turn_relayed_down_total', 'madang_path_dropped_stream_queue_total', 'madang_turn_dropped_bandwidth_total', 'madang_turn_dropped_no_permission_total'];
        const counts = () => Promise.all(names.map((name) => metricSum(server, name)));
        const before = await counts();
        const { said, sent, received } = await generate(scheme, transport, [...flags, ...indications, '-c', '-m', '4', '-n', '50', '-l', '500', '-z', '20']);
        assert.equal(sent, 200, said);
        const now = async () => (await counts()).map((value, place) => value - before[place]);
        await eventually('all of it was relayed', async () => (await now())[1] >= sent);
        assert.deepEqual(await now(), [sent, sent, 0, 0, 0]);
        if (scheme === 'turn') assert.equal(received, sent, said);
      });
    }
  }

  // Without -c it wants two ports in a row, for RTP and RTCP apart; none are kept for anybody.
  test('coturn\'s generator that wants the next port kept is told that there is none', { skip: skipWithoutGenerator }, async () => {
    const { said } = await generate('turn', 'udp', ['-m', '2', '-n', '1', '-l', '100']);
    assert.match(said, /508/);
  });
});
