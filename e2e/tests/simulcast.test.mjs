// A camera published in layers: a subscriber who asks for another one gets it soon, at every layer the very same frames, and never a frozen picture.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { startServer } from '../lib/server.mjs';
import { openChromium, sdkPage } from '../lib/browsers.mjs';
import { videoClip } from '../lib/clips.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertSteady, eventually, wait } from '../lib/measure.mjs';
import { senderOf } from '../lib/marks.mjs';

const CLIP = { width: 1280, height: 720, fps: 15 };
const SENDER = 21;
const WIDTHS = { LOW: 320, MEDIUM: 640, HIGH: 1280 };
const STEPS = ['LOW', 'HIGH', 'MEDIUM', 'LOW', 'MEDIUM', 'HIGH'];
const SWITCH_MS_MAX = 2000;
const HOLD_MS = 2500;
const GAP_MS_MAX = 300;

let server;
let publisher;
let viewer;
before(async () => {
  server = await startServer();
  publisher = await openChromium({ name: 'publisher', sender: SENDER, frequencyHz: 500, video: videoClip({ sender: SENDER, seconds: 16, ...CLIP }) });
  viewer = await openChromium({ name: 'viewer', sender: 0, frequencyHz: 0 });
});
after(async () => {
  await viewer?.close();
  await publisher?.close();
  await server?.stop();
});

const layersSent = async () =>
  (await publisher.sdk('stats'))
    .filter((stat) => stat.type === 'outbound-rtp' && stat.kind === 'video' && stat.frameWidth)
    .map((stat) => `${stat.rid}:${stat.frameWidth}@${stat.framesPerSecond ?? 0}`)
    .sort();

const codecOf = async (person, type) => {
  const stats = await person.sdk('stats');
  const used = stats.filter((stat) => stat.type === type && stat.kind === 'video' && (stat.framesEncoded ?? stat.framesDecoded) > 0).map((stat) => stats.find(({ id }) => id === stat.codecId)?.mimeType);
  return [...new Set(used)].join(' ');
};

for (const codec of ['vp8', 'h264']) {
  describe(codec, () => {
    let log = [];
    test('three layers are sent', async () => {
      const room = roomName(codec);
      for (const person of [publisher, viewer]) {
        person.identity = person.name;
        await person.goto(await sdkPage());
        await person.sdk('connect', { url: server.socketUrl, token: await joinToken(server, { room, identity: person.name }), options: { dynacast: false } });
      }
      await publisher.sdk('publishCamera', { ...CLIP, codec, layers: ['h180', 'h360'] });
      await eventually('the viewer has the first frame', async () => (await viewer.frames('publisher')).some((frame) => frame.id >= 0), { ms: 20_000 });
      await eventually('all three layers flow', async () => (await layersSent()).filter((layer) => !layer.endsWith('@0')).length === 3, { ms: 30_000 }).catch(async (error) => {
        throw new Error(`${error.message}; sent: ${await layersSent()}`);
      });
      const [stat] = (await publisher.sdk('stats')).filter((each) => each.type === 'outbound-rtp' && each.kind === 'video');
      console.log(`  ${codec}: ${await layersSent()} (${stat.encoderImplementation ?? ''} ${stat.scalabilityMode ?? ''})`);
      const mime = `video/${codec.toUpperCase()}`;
      assert.equal(await codecOf(publisher, 'outbound-rtp'), mime, 'what the publisher encodes');
      assert.equal(await codecOf(viewer, 'inbound-rtp'), mime, 'what the viewer decodes');
      await wait(1000);
    });

    test('a change of layer shows within two seconds, without a freeze', async () => {
      await assertSteady(async () => {
        const found = { wrong: [], slow: [], lost: [] };
        const settled = Date.now();
        for (const step of STEPS) await change(step, found);
        log = await viewer.frames('publisher', settled);
        return found;
      });
    });

    const change = async (step, { wrong, slow, lost }) => {
      const asked = Date.now();
      await viewer.sdk('quality', 'publisher', step);
      await eventually(`${step} shows`, async () => (await viewer.frames('publisher', asked)).at(-1)?.w === WIDTHS[step], { ms: 6000 }).catch(() => {});
      await wait(HOLD_MS);
      const frames = await viewer.frames('publisher', asked - 500);
      const first = frames.find((frame) => frame.t >= asked && frame.w === WIDTHS[step]);
      const after = first ? frames.filter((frame) => frame.t >= first.t) : [];
      const took = first ? first.t - asked : Number.NaN;
      const gap = Math.max(0, ...frames.slice(1).map((frame, i) => frame.t - frames[i].t));
      const unreadable = frames.filter((frame) => frame.id < 0).length;
      const foreign = frames.filter((frame) => frame.id >= 0 && senderOf(frame.id) !== SENDER).length;
      const strays = after.filter((frame) => frame.w !== WIDTHS[step]).length;
      console.log(`  ${codec} ${step}: width ${WIDTHS[step]} after ${took.toFixed(0)} ms, longest gap ${gap.toFixed(0)} ms, ${frames.length} frames, ${unreadable} unreadable, ${strays} of another layer afterwards`);
      if (!(took < SWITCH_MS_MAX)) slow.push(`${step}: asked for width ${WIDTHS[step]}, shown after ${took} ms (widths seen ${[...new Set(frames.map((frame) => frame.w))]})`);
      if (!first) lost.push(`${step}: never shown`);
      if (gap > GAP_MS_MAX) slow.push(`${step}: a gap of ${gap.toFixed(0)} ms between painted frames`);
      if (unreadable + foreign > 0) wrong.push(`${step}: ${unreadable} unreadable and ${foreign} foreign frames`);
      if (strays > 0) wrong.push(`${step}: ${strays} frames of another width after the switch`);
    };

    test('the frames of all layers are those of one clip, in order', async () => {
      const frames = CLIP.fps * 16;
      let backwards = 0;
      for (let i = 1; i < log.length; i += 1) {
        const step = ((log[i].id & 0xffff) - (log[i - 1].id & 0xffff) + frames) % frames;
        if (step > frames / 2) backwards += 1;
      }
      console.log(`  ${codec}: ${log.length} frames painted over all switches, ${backwards} backwards`);
      assert.ok(log.length > (STEPS.length * HOLD_MS * CLIP.fps * 0.7) / 1000, `${log.length} frames painted`);
      assert.equal(backwards, 0, 'frames shown out of order');
      for (const person of [publisher, viewer]) await person.sdk('leave');
    });
  });
}
