// Which way sound and picture of a counselling session go, and what the two pages do when one is closed.
import { after, afterEach, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { chromium } from 'playwright-core';
import { eventually } from '../lib/measure.mjs';
import { metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { roomName } from '../lib/tokens.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
];
// How long something may take on a machine that is busy with other things. Nothing is measured by it.
const LONG_MS = 45_000;
const skip = skipUnlessOwned();

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
});
after(async () => browser?.close());

const people = [];
afterEach(async () => {
  for (const context of people.splice(0)) await context.close();
});
const see = (page, id) => page.getByTestId(id);
const becomes = (what, read, expected) => eventually(`${what} becomes ${JSON.stringify(expected)}`, async () => JSON.stringify(await read()) === JSON.stringify(expected), { ms: LONG_MS });
// Before anything of the page runs: every candidate that it tells the other.
const LISTENS = `(() => {
  window.told = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (typeof data === 'string') {
      const { type, candidate, sdp } = JSON.parse(data);
      if (type === 'candidate') window.told.push(candidate);
      for (const line of (sdp ?? '').split('\\r\\n')) if (line.startsWith('a=candidate:')) window.told.push(line.slice(2));
    }
    return send.call(this, data);
  };
})()`;
const come = async (server, room, role, name, { query = '', locale = 'en-US' } = {}) => {
  const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, locale });
  context.setDefaultTimeout(LONG_MS);
  people.push(context);
  const page = await context.newPage();
  await page.addInitScript(LISTENS);
  await page.goto(`${server.url}/c/${room}?role=${role}${query}`);
  await page.waitForFunction(() => document.querySelector('[data-testid="prejoin-mic"]')?.disabled === false);
  await see(page, 'prejoin-name').fill(name);
  await see(page, 'prejoin-join').click();
  await see(page, 'counsel').waitFor();
  return page;
};
const meet = async (server, room, query = '') => [await come(server, room, 'expert', 'Kim', { query }), await come(server, room, 'member', 'Lee', { locale: 'ko-KR' })];
const frames = (page) => see(page, 'counsel-remote').evaluate((video) => ({ count: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth }));
const moves = async (page, who) => {
  const { count } = await frames(page);
  await eventually(`${who} sees a moving picture`, async () => {
    const now = await frames(page);
    return now.width > 0 && now.count >= count + 10;
  }, { ms: LONG_MS });
};
const bothMove = async ([expert, member]) => {
  await moves(expert, 'the expert');
  await moves(member, 'the member');
};
const path = (page) => see(page, 'path').getAttribute('data-path');
const bothGo = async (pages, way) => {
  for (const page of pages) await becomes('the way', async () => ((await see(page, 'path').count()) ? path(page) : null), way);
};
// The note and the camera of one reach the other.
const works = async ([expert, member]) => {
  await expert.locator('.counsel-note textarea').fill('by whichever way');
  await becomes('the note', () => member.locator('.counsel-note textarea').inputValue(), 'by whichever way');
  await see(member, 'btn-cam').click();
  await becomes('the picture', () => see(expert, 'counsel-other').getAttribute('data-video'), 'false');
  await see(member, 'btn-cam').click();
  await becomes('the picture', () => see(expert, 'counsel-other').getAttribute('data-video'), 'true');
  await moves(expert, 'the expert');
  await see(member, 'btn-mic').click();
  await becomes('the microphone', () => expert.evaluate(() => window.__madang.counsel.other.mic.value), false);
};

describe('a room that is open to both ways', { skip }, () => {
  let server;
  before(async () => {
    server = await startServer({ own: true, env: { MADANG_ROOMS_RELAY: 'p-*' } });
  });
  after(async () => server?.stop());

  test('in one network they are connected directly, and the pages say so in both languages', async () => {
    const pages = await meet(server, roomName('near'));
    await bothMove(pages);
    await bothGo(pages, 'near');
    assert.match(await see(pages[0], 'path').textContent(), /^Direct, same network/);
    assert.match(await see(pages[1], 'path').textContent(), /^직접 연결, 같은 네트워크/);
  });

  test('where addresses are hidden they meet by the relay alone', async () => {
    const pages = await meet(server, `p-${roomName('hidden')}`);
    await bothMove(pages);
    await bothGo(pages, 'relay');
    for (const page of pages) {
      assert.equal(await see(page, 'path').getAttribute('data-via'), 'udp');
      const told = await page.evaluate(() => window.told);
      assert.ok(told.length > 0);
      for (const candidate of told) assert.match(candidate, / typ relay /, candidate);
    }
    assert.match(await see(pages[0], 'path').textContent(), /^Relayed \(UDP\)/);
    assert.match(await see(pages[1], 'path').textContent(), /^중계 \(UDP\)/);
    await works(pages);
    assert.ok((await metricSum(server, 'madang_turn_allocations')) >= 2);
  });

  test('a relay is its holder’s: a new line gets a new one, and the call goes on over it', async () => {
    const pages = await meet(server, `p-${roomName('line')}`);
    await bothMove(pages);
    const user = (page) => page.evaluate(() => window.__madang.counsel.media.ways.value.iceServers[0].username);
    const before = await user(pages[1]);
    await pages[1].evaluate(() => dispatchEvent(new Event('online')));
    await eventually('another relay', async () => (await user(pages[1])) !== before, { ms: LONG_MS });
    await bothMove(pages);
    await bothGo(pages, 'relay');
  });

  test('who asks for it goes by way of the server, and the other comes along', async () => {
    const pages = await meet(server, roomName('wished'), '&way=server');
    await bothMove(pages);
    await bothGo(pages, 'server');
    assert.match(await see(pages[0], 'path').textContent(), /^Through the server/);
    assert.match(await see(pages[1], 'path').textContent(), /^서버 경유/);
    await works(pages);
    await becomes('the media of both', () => metricSum(server, 'madang_tracks'), 4);
  });
});

describe('two who cannot reach each other: hidden addresses, and nothing is relayed', { skip }, () => {
  let server;
  before(async () => {
    server = await startServer({ own: true, env: { MADANG_ROOMS_RELAY: '*', MADANG_ROOMS_MESH: 'm-*', MADANG_TURN_ENABLED: 'false' } });
  });
  after(async () => server?.stop());

  test('by way of the server they see each other all the same', async () => {
    const room = roomName('blocked');
    const pages = await meet(server, room);
    await bothGo(pages, 'server');
    await bothMove(pages);
    await works(pages);
    // Who comes back goes there at once.
    await pages[1].context().close();
    pages[1] = await come(server, room, 'member', 'Lee');
    await bothGo(pages, 'server');
    await bothMove(pages);
    for (const page of pages) assert.equal(await see(page, 'banner-line').count(), 0);
  });

  test('in a mesh there is no such way, and the pages say so', async () => {
    const pages = await meet(server, `m-${roomName('mesh')}`);
    for (const page of pages) {
      await becomes('the trouble', async () => ((await see(page, 'banner-line').count()) ? see(page, 'banner-line').getAttribute('data-trouble') : null), 'no_way');
      assert.equal(await see(page, 'banner-check').getAttribute('href'), '/check');
    }
    await pages[0].locator('.counsel-note textarea').fill('at least this');
    await becomes('the note', () => pages[1].locator('.counsel-note textarea').inputValue(), 'at least this');
  });
});

describe('two whom the server cannot take in a second time', { skip }, () => {
  let server;
  before(async () => {
    server = await startServer({ own: true, env: { MADANG_ROOMS_RELAY: '*', MADANG_ROOMS_PEERS_MAX: '2', MADANG_TURN_ENABLED: 'false' } });
  });
  after(async () => server?.stop());

  test('are told that there is no way', async () => {
    const pages = await meet(server, roomName('full'));
    for (const page of pages) {
      await becomes('the trouble', async () => ((await see(page, 'banner-line').count()) ? see(page, 'banner-line').getAttribute('data-trouble') : null), 'no_server');
      assert.equal(await see(page, 'banner-check').getAttribute('href'), '/check');
    }
  });
});
