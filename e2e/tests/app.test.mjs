// The room app in Chromium: what a person sees when something goes well, and when it does not.
import { after, afterEach, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { chromium } from 'playwright-core';
import { RoomServiceClient } from 'livekit-server-sdk';
import { eventually } from '../lib/measure.mjs';
import { skipUnlessOwned, startServer } from '../lib/server.mjs';
import { joinToken, nowSeconds, rawToken, roomName } from '../lib/tokens.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  // Several people share one browser, and none of them may be slowed down for being out of sight.
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
];
const BANNER_MS_MAX = 4_000; // three seconds, and mercy for a busy machine

let server;
let browser;
let api;
before(async () => {
  server = await startServer({ own: skipUnlessOwned() === false });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  api = new RoomServiceClient(server.url, server.key, server.secret);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const people = [];
const open = async (path, { before: script, viewport = { width: 1280, height: 720 } } = {}) => {
  const context = await browser.newContext({ viewport, locale: 'en-US' });
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  people.push(context);
  await page.goto(server.url + path);
  return page;
};
const see = (page, id) => page.getByTestId(id);
const knock = async (page, name) => {
  await see(page, 'prejoin-join').waitFor();
  await page.waitForFunction(() => !document.querySelector('[data-testid="prejoin-mic"]').disabled);
  if (name) await see(page, 'prejoin-name').fill(name);
  await see(page, 'prejoin-join').click();
};
const enter = async (room, name, options = {}) => {
  const page = await open(`/r/${room}${options.hash ?? ''}`, options);
  await knock(page, options.hash ? '' : name);
  await see(page, 'room').waitFor();
  page.identity = await page.evaluate(() => window.__madang.room.localParticipant.identity);
  return page;
};
const leaveAll = async () => {
  for (const context of people.splice(0)) await context.close();
};
const pressed = (page, id) => see(page, id).getAttribute('aria-pressed');
const becomes = (what, read, expected, ms = 8_000) => eventually(`${what} becomes ${JSON.stringify(expected)}`, async () => JSON.stringify(await read()) === JSON.stringify(expected), { ms });
const ending = async (page, code) => {
  await see(page, 'error').waitFor();
  assert.equal(await see(page, 'error').getAttribute('data-code'), code);
};

describe('endings name their cause', () => {
  afterEach(leaveAll);

  test('the same seat taken twice', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const seat = await anna.evaluate(() => sessionStorage.getItem('madang.identity'));
    const again = await enter(room, 'Anna', { before: `sessionStorage.setItem('madang.identity', ${JSON.stringify(seat)})` });
    await ending(anna, 'duplicate');
    await see(anna, 'message-as-new').click();
    await knock(anna);
    await see(anna, 'room').waitFor();
    await becomes('tiles', () => see(again, 'tile').count(), 2);
  });

  test('removed, and the room deleted', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const bert = await enter(room, 'Bert');
    await api.removeParticipant(room, anna.identity);
    await ending(anna, 'removed');
    await api.deleteRoom(room);
    await ending(bert, 'room_deleted');
  });

  test('a full room', async () => {
    const room = roomName('app');
    await api.createRoom({ name: room, maxParticipants: 1 });
    await enter(room, 'Anna');
    const bert = await open(`/r/${room}`);
    await knock(bert, 'Bert');
    await ending(bert, 'room_full');
  });

  test('tokens: expired, early, of another room, forged', async () => {
    const video = { room: 'yard', roomJoin: true };
    const now = nowSeconds();
    const cases = [
      ['token_expired', { sub: 'x', exp: now - 3_600, video }, {}],
      ['token_early', { sub: 'x', nbf: now + 3_600, exp: now + 7_200, video }, {}],
      ['token_refused', { sub: 'x', exp: now + 600, video: { ...video, room: 'elsewhere' } }, {}],
      ['token_refused', { sub: 'x', exp: now + 600, video }, { secret: 'another secret, long enough to sign with' }],
    ];
    for (const [code, claims, how] of cases) {
      const page = await open(`/r/yard#token=${rawToken(server, claims, how)}`);
      if (how.secret) await knock(page, 'Mallory');
      await ending(page, code);
      assert.ok(!(await page.content()).includes('eyJ'), `${code}: no token on the screen`);
    }
  });

  test('a server that cannot be reached', async () => {
    const page = await open(`/r/${roomName('app')}`);
    await see(page, 'prejoin').waitFor();
    await page.waitForLoadState('networkidle');
    await page.context().setOffline(true);
    await knock(page, 'Anna');
    await ending(page, 'unreachable');
  });
});

describe('in the room', () => {
  afterEach(leaveAll);

  test('grants switch off what they do not allow, and a token may name its holder', async () => {
    const room = roomName('app');
    const token = await joinToken(server, { room, identity: 'guest', name: 'Greta Guest', grant: { canPublish: false, canUpdateOwnMetadata: false } });
    const guest = await enter(room, '', { hash: `#token=${token}` });
    assert.equal(await guest.evaluate(() => window.__madang.room.localParticipant.name), 'Greta Guest');
    for (const id of ['btn-mic', 'btn-cam', 'btn-screen']) assert.ok(await see(guest, id).isDisabled(), `${id} is off`);
    await see(guest, 'btn-hand').click();
    await guest.getByText('Your invitation does not allow this.').first().waitFor();
  });

  test('keys do what the help says, and nothing while somebody writes', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const bert = await enter(room, 'Bert');
    await becomes('tiles', () => see(anna, 'tile').count(), 2);
    await becomes('microphone', () => pressed(anna, 'btn-mic'), 'true');
    await anna.keyboard.press('m');
    await becomes('microphone', () => pressed(anna, 'btn-mic'), 'false');
    await anna.keyboard.down('Space');
    await becomes('microphone', () => pressed(anna, 'btn-mic'), 'true');
    await anna.keyboard.up('Space');
    await becomes('microphone', () => pressed(anna, 'btn-mic'), 'false');
    await anna.keyboard.press('v');
    await becomes('camera', () => pressed(anna, 'btn-cam'), 'false');
    await anna.keyboard.press('r');
    await becomes('Anna’s hand at Bert’s', () => see(bert, 'tile-hand').count(), 1);
    await anna.keyboard.press('w');
    await becomes('layout', () => see(anna, 'stage').getAttribute('data-layout'), 'speaker');
    await anna.keyboard.press('f');
    await becomes('tiles', () => see(anna, 'tile').count(), 1);
    await anna.keyboard.press('f');
    await anna.keyboard.press('2');
    await becomes('pinned', () => anna.locator('[data-pinned="true"]').getAttribute('data-identity'), bert.identity);
    await anna.keyboard.press('0');
    await becomes('pinned', () => anna.locator('[data-pinned="true"]').count(), 0);
    await anna.keyboard.press('?');
    await see(anna, 'shortcuts-dialog').waitFor();
    await anna.keyboard.press('m');
    await anna.keyboard.press('Escape');
    await see(anna, 'shortcuts-dialog').waitFor({ state: 'detached' });
    await anna.keyboard.press('c');
    await see(anna, 'chat-input').waitFor();
    await becomes('focus in the chat', () => anna.evaluate(() => document.activeElement.dataset.testid), 'chat-input');
    await anna.keyboard.type('mvrw');
    assert.equal(await see(anna, 'chat-input').inputValue(), 'mvrw');
    await anna.keyboard.press('Escape');
    await see(anna, 'chat').waitFor({ state: 'detached' });
    assert.equal(await pressed(anna, 'btn-mic'), 'false', 'the microphone is as it was');
  });

  test('a newcomer reads what was said before, and hands stand in order', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const bert = await enter(room, 'Bert');
    await see(bert, 'btn-hand').click();
    await becomes('hand', () => pressed(bert, 'btn-hand'), 'true');
    await see(anna, 'btn-hand').click();
    await becomes('hand', () => pressed(anna, 'btn-hand'), 'true');
    await see(anna, 'btn-chat').click();
    await see(anna, 'chat-input').fill('<b>안녕</b> https://example.org/x.');
    await see(anna, 'chat-send').click();
    await becomes('unread', async () => (await see(bert, 'chat-unread').count()) && see(bert, 'chat-unread').textContent(), '1');
    const late = await enter(room, 'Late');
    await see(late, 'btn-chat').click();
    await becomes('history', () => see(late, 'chat-text').allTextContents(), ['<b>안녕</b> https://example.org/x.']);
    assert.equal(await see(late, 'chat-text').locator('a').getAttribute('href'), 'https://example.org/x');
    assert.equal(await see(late, 'chat-text').locator('b').count(), 0, 'markup stays text');
    await see(late, 'btn-people').click();
    await becomes('hands', () => see(late, 'hands').getByTestId('person').evaluateAll((rows) => rows.map((row) => row.dataset.identity)), [bert.identity, anna.identity]);
  });

  test('a shared screen takes the large place and gives it back', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const bert = await enter(room, 'Bert');
    await see(bert, 'btn-screen').click();
    await becomes('main tile', async () => (await anna.locator('.tile-main').count()) && anna.locator('.tile-main').getAttribute('data-source'), 'screen_share');
    await eventually('the screen is seen', () => anna.locator('[data-source="screen_share"] video').evaluate((video) => video.videoWidth > 0 && video.currentTime > 0), { ms: 10_000 });
    await see(bert, 'btn-screen').click();
    await becomes('layout', () => see(anna, 'stage').getAttribute('data-layout'), 'grid');
  });

  test('a moderator’s muting is told, and not shown any more to who left', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const sid = await eventually('the microphone is published', () => anna.evaluate(() => [...window.__madang.room.localParticipant.audioTrackPublications.keys()][0]));
    await api.mutePublishedTrack(room, anna.identity, sid, true);
    await becomes('microphone', () => pressed(anna, 'btn-mic'), 'false');
    await see(anna, 'notice').getByText('A moderator turned your microphone off.').waitFor();
    await see(anna, 'btn-leave').click();
    await see(anna, 'left').waitFor();
    await becomes('the number of notices', () => see(anna, 'notice').count(), 0, 2_000);
  });
});

describe('devices', () => {
  afterEach(leaveAll);
  // A microphone that is as loud as wished.
  const voice = (gain) => `navigator.mediaDevices.getUserMedia = ((real) => async (wish) => {
    const stream = wish.video ? await real({ video: wish.video }) : new MediaStream();
    if (wish.audio) {
      const context = new AudioContext();
      const out = context.createMediaStreamDestination();
      const level = new GainNode(context, { gain: ${gain} });
      const tone = new OscillatorNode(context);
      tone.connect(level).connect(out);
      tone.start();
      stream.addTrack(out.stream.getAudioTracks()[0]);
    }
    return stream;
  })(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))`;

  test('speaking while muted is noticed, and one press helps', async () => {
    const anna = await enter(roomName('app'), 'Anna', { before: voice(0.5) });
    await see(anna, 'btn-mic').click();
    await becomes('hint', async () => (await see(anna, 'banner-mic').count()) && see(anna, 'banner-mic').getAttribute('data-hint'), 'muted_speaking');
    await see(anna, 'banner-mic').getByRole('button', { name: 'Turn on' }).click();
    await becomes('microphone', () => pressed(anna, 'btn-mic'), 'true');
  });

  test('a microphone that delivers nothing is noticed', async () => {
    const anna = await enter(roomName('app'), 'Anna', { before: voice(0) });
    await becomes('hint', async () => (await see(anna, 'banner-mic').count()) && see(anna, 'banner-mic').getAttribute('data-hint'), 'no_signal', 15_000);
  });

  test('each cause has its help, and one may come in without devices', async () => {
    for (const [name, cause] of [['NotAllowedError', 'blocked'], ['NotFoundError', 'missing'], ['NotReadableError', 'busy']]) {
      const page = await open(`/r/${roomName('app')}`, { before: `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', '${name}'); }` });
      await see(page, 'prejoin-help').waitFor();
      assert.equal(await see(page, 'prejoin-help').locator('[data-cause]').getAttribute('data-cause'), cause);
      await knock(page, 'Anna');
      await see(page, 'room').waitFor();
      assert.equal(await pressed(page, 'btn-mic'), 'false');
    }
  });

  test('held-back sound is one press away', async () => {
    const room = roomName('app');
    await enter(room, 'Anna');
    const holds = `window.holds = true; HTMLMediaElement.prototype.play = ((real) => function () {
      return this.tagName === 'AUDIO' && window.holds ? Promise.reject(new DOMException('no', 'NotAllowedError')) : real.call(this);
    })(HTMLMediaElement.prototype.play)`;
    const bert = await enter(room, 'Bert', { before: holds });
    await see(bert, 'btn-hear').waitFor();
    await bert.evaluate(() => {
      window.holds = false;
    });
    await see(bert, 'btn-hear').click();
    await see(bert, 'btn-hear').waitFor({ state: 'detached' });
    await eventually('the sound plays', () => see(bert, 'audio').evaluateAll((voices) => voices.length === 1 && !voices[0].paused));
  });
});

describe('the banner follows the packets', { skip: skipUnlessOwned() }, () => {
  afterEach(leaveAll);

  test('a server that stands still is noticed within three seconds, and forgotten when it goes on', async () => {
    const room = roomName('app');
    const anna = await enter(room, 'Anna');
    const bert = await enter(room, 'Bert');
    for (const page of [anna, bert]) {
      await eventually('a picture moves', () => page.locator('[data-testid="tile"][data-local="false"] video').evaluate((video) => video.currentTime > 1), { ms: 15_000 });
    }
    assert.equal(await see(anna, 'banner-reconnect').count(), 0, 'no banner while all is well');
    const from = Date.now();
    process.kill(server.pid, 'SIGSTOP');
    try {
      await see(anna, 'banner-reconnect').waitFor({ timeout: BANNER_MS_MAX });
      const took = Date.now() - from;
      assert.equal(await see(anna, 'banner-reconnect').getAttribute('data-trouble'), 'stalled');
      assert.ok(took > 1_000, `a banner after ${took} ms follows no silence of packets`);
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    await see(anna, 'banner-reconnect').waitFor({ state: 'detached', timeout: 10_000 });
  });
});
