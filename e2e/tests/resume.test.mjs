// The signalling socket goes away: the session is taken up again, media never stops, nothing reliable is lost. And the harder ends of the same road.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { startServer } from '../lib/server.mjs';
import { openPeer } from '../lib/peers.mjs';
import { openWire } from '../lib/wire.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { eventually, wait } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const RESUME_GAP_MS_MAX = 1500;
// The SDK drops its transport on purpose here: the picture is back after an ICE restart.
const ICE_GAP_MS_MAX = 3000;
const REJOIN_GAP_MS_MAX = 5000;
const BACK_MS_MAX = 15_000;
// SimulateScenarioKind of the Rust core.
const RUST = { signalReconnect: 0, fullReconnect: 7, disconnectSignalOnResume: 8 };

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

const longestGap = (frames, from, to) => {
  const times = [from, ...frames.filter((frame) => frame.t >= from && frame.t <= to).map((frame) => frame.t), to];
  return Math.max(...times.slice(1).map((t, i) => t - times[i]));
};

for (const single of [true, false]) {
  describe(single ? 'over /rtc/v1' : 'over /rtc', () => {
    let wire;
    let page;
    let python;
    let witness;
    let sequence = 0;

    before(async () => {
      wire = await openWire(server);
      const room = roomName('resume');
      page = await openPeer('chromium', { sender: 41, frequencyHz: 500 }, CLIP);
      python = await openPeer('python', { sender: 42, frequencyHz: 800 });
      witness = await openPeer('node', { sender: 43, frequencyHz: 1100 });
      for (const peer of [page, python, witness]) {
        const { socketUrl } = peer === witness ? server : wire;
        await peer.connect({ url: socketUrl, token: await joinToken(server, { room, identity: peer.identity }), single });
        await peer.publish(CLIP);
      }
      for (const peer of [page, python]) {
        await eventually(`the witness sees ${peer.name}`, async () => (await witness.frames(peer.identity)).length > 10, { ms: 20_000 });
        await eventually(`${peer.name} sees the witness`, async () => (await peer.frames(witness.identity)).length > 10, { ms: 20_000 });
      }
      await wait(1000);
    });
    after(async () => {
      for (const each of [witness, python, page]) await each?.close();
      await wire?.close();
    });

    const reconnected = async (peer, since) => (await peer.received()).events.some(({ event, t }) => event.toLowerCase() === 'reconnected' && t >= since);
    const counts = async (peer, event, since) => (await peer.received()).events.filter((each) => each.event.toLowerCase() === event && each.t >= since).length;

    // Cuts or asks, then: back within reason, pictures both ways with no longer gap than allowed, data both ways complete.
    const survives = async (peer, what, break_, { gapMs, backMs = BACK_MS_MAX }) => {
      const start = Date.now();
      await break_();
      const back = await eventually(`${peer.name} is back after ${what}`, () => reconnected(peer, start), { ms: backMs }).then(() => Date.now() - start);
      await wait(3000);
      const end = Date.now();
      const down = longestGap(await peer.frames(witness.identity, start), start, end);
      const up = longestGap(await witness.frames(peer.identity, start), start, end);
      console.log(`  ${peer.name}, ${what}: back after ${back} ms, longest gap down ${down.toFixed(0)} ms, up ${up.toFixed(0)} ms`);
      assert.ok(down <= gapMs, `${peer.name} saw nothing of the witness for ${down} ms (allowed ${gapMs})`);
      assert.ok(up <= gapMs, `the witness saw nothing of ${peer.name} for ${up} ms (allowed ${gapMs})`);
      sequence += 1;
      const texts = [`up ${sequence}`, `down ${sequence}`];
      await peer.sendData(texts[0], true, witness.identity);
      await witness.sendData(texts[1], true, peer.identity);
      await eventually(`data of ${peer.name} at the witness`, async () => (await witness.received()).data.some(({ text }) => text === texts[0]));
      await eventually(`data of the witness at ${peer.name}`, async () => (await peer.received()).data.some(({ text }) => text === texts[1]));
      return { start };
    };

    test('a cut socket: both SDKs resume, media goes on', async () => {
      const cut = async () => assert.ok(wire.cut() >= 2, 'both signalling sockets were cut');
      const start = Date.now();
      const others = await counts(witness, 'participantdisconnected', 0);
      const results = await Promise.allSettled([page, python].map((peer) => survives(peer, 'a cut socket', peer === page ? cut : async () => {}, { gapMs: RESUME_GAP_MS_MAX })));
      assert.deepEqual(results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message), []);
      assert.equal(await counts(witness, 'participantdisconnected', 0), others, 'the witness was told that somebody left');
      assert.equal(await counts(page, 'participantdisconnected', start), 0, 'the page lost somebody over a resume');
      assert.equal(await counts(python, 'participantdisconnected', start), 0, 'Python lost somebody over a resume');
    });

    test('reliable data sent while the socket is away arrives once and in order', async () => {
      const name = `away-${sequence}`;
      const start = Date.now();
      wire.cut();
      for (let i = 0; i < 20; i += 1) {
        await witness.sendData(`${name} ${i}`, true);
        await wait(20);
      }
      for (const peer of [page, python]) {
        await eventually(`${peer.name} is back`, () => reconnected(peer, start), { ms: BACK_MS_MAX });
        const got = async () => (await peer.received()).data.map(({ text }) => text).filter((text) => text.startsWith(`${name} `));
        await eventually(`${peer.name} has all`, async () => (await got()).length >= 20, { ms: 5000 }).catch(() => {});
        assert.deepEqual(await got(), Array.from({ length: 20 }, (_, i) => `${name} ${i}`), `reliable data at ${peer.name}`);
      }
    });

    test('livekit-client: signal-reconnect', () => survives(page, 'signal-reconnect', () => page.simulate('signal-reconnect'), { gapMs: RESUME_GAP_MS_MAX }));
    test('livekit-client: resume-reconnect', () => survives(page, 'resume-reconnect', () => page.simulate('resume-reconnect'), { gapMs: ICE_GAP_MS_MAX }));
    test('livekit-client: disconnect-signal-on-resume', () => survives(page, 'disconnect-signal-on-resume', () => page.simulate('disconnect-signal-on-resume'), { gapMs: REJOIN_GAP_MS_MAX }));
    test('livekit-client: full-reconnect', () => survives(page, 'full-reconnect', () => page.simulate('full-reconnect'), { gapMs: REJOIN_GAP_MS_MAX }));
    test('Rust core: signal reconnect', () => survives(python, 'signal reconnect', () => python.simulate(RUST.signalReconnect), { gapMs: RESUME_GAP_MS_MAX }));
    test('Rust core: full reconnect', () => survives(python, 'full reconnect', () => python.simulate(RUST.fullReconnect), { gapMs: REJOIN_GAP_MS_MAX }));
  });
}
