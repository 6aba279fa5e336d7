// Two people, each behind a router of his own: which way the counselling page finds between them, and how soon.
import { after, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { chromium } from 'playwright-core';
import { eventually } from '../lib/measure.mjs';
import { skipWithoutNamespaces } from '../lib/netns.mjs';
import { skipUnlessOwned } from '../lib/server.mjs';
import { joinToken } from '../lib/tokens.mjs';
import { DOMAIN, openNetwork } from '../nat/network.mjs';
import { startServer } from '../nat/server.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
  '--ignore-certificate-errors',
];
// How long something may take on a machine that is busy with other things. Nothing is measured by it.
const LONG_MS = 60_000;

const CELLS = [
  { nats: ['restricted', 'restricted'], way: 'nat' },
  { nats: ['restricted', 'symmetric'], way: 'relay' },
  { nats: ['symmetric', 'symmetric'], way: 'relay' },
  { nats: ['restricted', 'restricted'], room: 'hidden-', env: { MADANG_ROOMS_RELAY: 'hidden-*' }, way: 'relay', what: 'addresses are hidden' },
  { nats: ['symmetric', 'symmetric'], env: { MADANG_TURN_ENABLED: 'false' }, way: 'server', what: 'nothing is relayed' },
  { nats: ['restricted', 'restricted'], pass: 'no-udp', way: 'relay', what: 'no UDP leaves' },
  { nats: ['restricted', 'restricted'], pass: 'no-udp', env: { MADANG_TURN_ENABLED: 'false', MADANG_ICE_TCP: 'false' }, way: null, what: 'no UDP leaves and nothing is relayed' },
];

const knock = async (browser, server, room, role, identity) => {
  const page = await (await browser.newContext({ viewport: { width: 960, height: 600 }, locale: 'en-US' })).newPage();
  page.setDefaultTimeout(LONG_MS);
  const token = await joinToken(server, { room, identity, attributes: { role, nick: identity } });
  await page.goto(`https://${DOMAIN}/c/${room}?role=${role}#token=${token}`);
  await page.waitForFunction(() => document.querySelector('[data-testid="prejoin-mic"]')?.disabled === false);
  return page;
};
const enter = (page) => page.getByTestId('prejoin-join').click();
const seen = (page) =>
  page.evaluate(() => {
    const of = (id) => document.querySelector(`[data-testid="${id}"]`);
    return {
      way: of('path')?.dataset.path ?? null,
      trouble: of('banner-line')?.dataset.trouble ?? null,
      moves: (of('counsel-remote')?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5,
    };
  });

describe('two behind routers', { skip: skipUnlessOwned() || skipWithoutNamespaces() }, () => {
  const rows = [];
  after(() => console.table(rows));

  for (const { nats, what, way, env = {}, room = 'open-', pass = 'all' } of CELLS) {
    test(`${nats.join(' and ')}${what ? `, ${what}` : ''}: ${way ?? 'no way, and the pages say so'}`, async (t) => {
      const network = openNetwork({ clients: nats, pass });
      t.after(network.close);
      const server = await startServer(network, {}, env);
      t.after(server.stop);
      const pages = [];
      for (const [place, role] of [['alice', 'expert'], ['bob', 'member']]) {
        const executablePath = network.executable(place)(process.env.CHROMIUM ?? '/usr/bin/chromium');
        const browser = await chromium.launch({ executablePath, args: FLAGS });
        t.after(() => browser.close());
        pages.push(await knock(browser, server, `${room}${process.pid}-${rows.length}`, role, place));
      }
      await enter(pages[0]);
      await pages[0].getByTestId('counsel-waiting').waitFor();
      const began = performance.now();
      await enter(pages[1]);
      const met = await eventually('both are where they end', async () => {
        const both = await Promise.all(pages.map(seen));
        return both.every((page) => (way === null ? page.trouble === 'no_server' : page.way === way && page.moves)) && both;
      }, { ms: LONG_MS });
      rows.push({ 'router a': nats[0], 'router b': nats[1], and: what ?? '', way: met[0].way ?? met[0].trouble, ms: Math.round(performance.now() - began) });
      if (way !== null) for (const page of met) assert.equal(page.trouble, null);
    });
  }
});
