// The counselling page and the two pages of a broadcast, as people use them.
import { after, afterEach, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { createHash, randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { openFirefox } from '../lib/browsers.mjs';
import { eventually, wait } from '../lib/measure.mjs';
import { startServer } from '../lib/server.mjs';
import { roomName } from '../lib/tokens.mjs';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
  '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  // Several people share one browser, and none of them may be slowed down for being out of sight.
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
];
// How long something may take on a machine that is busy with other things. Nothing is measured by it.
const LONG_MS = 45_000;

let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const people = [];
const newPage = async ({ before: script, permissions } = {}) => {
  const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, locale: 'en-US', ...(permissions ? { permissions } : {}) });
  context.setDefaultTimeout(LONG_MS);
  if (script) await context.addInitScript(script);
  people.push(context);
  return context.newPage();
};
const open = async (path, options) => {
  const page = await newPage(options);
  await page.goto(server.url + path);
  return page;
};
const closeAll = async () => {
  for (const context of people.splice(0)) await context.close();
};
const see = (page, id) => page.getByTestId(id);
const becomes = (what, read, expected) => eventually(`${what} becomes ${JSON.stringify(expected)}`, async () => JSON.stringify(await read()) === JSON.stringify(expected), { ms: LONG_MS });
const frames = (page, id) => see(page, id).evaluate((video) => ({ count: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth }));
// Ten more pictures of some size are painted.
const moves = async (page, id, who) => {
  const { count } = await frames(page, id);
  await eventually(`${who} sees a moving picture`, async () => {
    const now = await frames(page, id);
    return now.width > 0 && now.count >= count + 10;
  }, { ms: LONG_MS });
};
// The tab dies without a word.
const crash = async (page) => {
  const crashed = page.waitForEvent('crash');
  const session = await page.context().newCDPSession(page);
  session.send('Page.crash').catch(() => undefined);
  await crashed;
};

describe('counselling', () => {
  afterEach(closeAll);

  const knock = async (page, name) => {
    await page.waitForFunction(() => document.querySelector('[data-testid="prejoin-mic"]')?.disabled === false);
    await see(page, 'prejoin-name').fill(name);
    await see(page, 'prejoin-join').click();
    return page;
  };
  const come = async (room, role, name, options) => {
    const page = await knock(await open(`/c/${room}?role=${role}`, options), name);
    await see(page, 'counsel').waitFor();
    return page;
  };
  const meet = async () => {
    const room = roomName('counsel');
    const expert = await come(room, 'expert', 'Kim');
    await see(expert, 'counsel-waiting').waitFor();
    const member = await come(room, 'member', 'Lee');
    for (const page of [expert, member]) await becomes('the other', () => see(page, 'counsel').getAttribute('data-present'), 'true');
    return { room, expert, member };
  };
  // At once: the banner may go while one asks for it.
  const trouble = (page) => page.evaluate(() => document.querySelector('[data-testid="banner-line"]')?.getAttribute('data-trouble') ?? null);
  const note = (page) => see(page, 'note').inputValue();
  const sent = (page) => page.evaluate(async () => {
    const { pc } = window.__madang.counsel.call;
    const stats = [...(await pc.getStats()).values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    return { frames: stats?.framesSent ?? 0, track: pc.getSenders().find((sender, index) => index === 1)?.track?.readyState ?? null };
  });

  test('two links from the first screen lead two people to each other', async () => {
    const home = await open('/');
    await see(home, 'home-counsel').click();
    const links = await Promise.all(['expert-link', 'member-link'].map((id) => see(home, id).inputValue()));
    assert.match(links[0], /\/c\/[a-z-]+\?role=expert$/);
    assert.equal(links[1], links[0].replace('expert', 'member'));
    const [expert, member] = [await newPage(), await newPage()];
    await expert.goto(links[0]);
    await knock(expert, 'Kim');
    await see(expert, 'counsel-waiting').waitFor();
    assert.equal(await see(expert, 'member-link').inputValue(), links[1], 'who waits can send the link again');
    await member.goto(links[1]);
    await knock(member, 'Lee');
    await moves(expert, 'counsel-remote', 'the expert');
    await moves(member, 'counsel-remote', 'the member');
    await expert.getByText('Lee', { exact: true }).first().waitFor();
    await member.getByText('Kim', { exact: true }).first().waitFor();
    await eventually('time runs for both', async () => (await Promise.all([expert, member].map((page) => see(page, 'elapsed').textContent()))).every((text) => /^\d+:\d\d$/.test(text) && text !== '0:00'), { ms: LONG_MS });
  });

  test('somebody who granted nothing yet is seen and heard of all the same', async () => {
    const room = roomName('counsel');
    const refused = 'navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); }';
    const member = await come(room, 'member', 'Lee', { before: refused, permissions: [] });
    const expert = await come(room, 'expert', 'Kim');
    await moves(member, 'counsel-remote', 'the member');
    assert.equal(await see(expert, 'counsel-other').getAttribute('data-video'), 'false');
    await expert.getByText('Lee has the camera switched off.').waitFor();
  });

  test('a camera that is off sends nothing, and comes back', async () => {
    const { expert, member } = await meet();
    await moves(expert, 'counsel-remote', 'the expert');
    await see(member, 'btn-cam').click();
    await becomes('the picture', () => see(expert, 'counsel-other').getAttribute('data-video'), 'false');
    await becomes('the sender’s track', async () => (await sent(member)).track, null);
    // What was on its way has left by now; from here on there is nothing.
    await wait(500);
    const before = await sent(member);
    const painted = await frames(expert, 'counsel-remote');
    await wait(1_500);
    assert.equal((await sent(member)).frames, before.frames, 'no frame is sent while the camera is off');
    assert.equal((await frames(expert, 'counsel-remote')).count, painted.count, 'no frame is painted while the camera is off');
    assert.equal(await member.evaluate(() => window.__madang.counsel.preview.video.value), null, 'the camera itself is let go');
    await see(member, 'btn-cam').click();
    await becomes('the picture', () => see(expert, 'counsel-other').getAttribute('data-video'), 'true');
    await moves(expert, 'counsel-remote', 'the expert');
    await see(member, 'btn-mic').click();
    await expert.getByText(', muted').waitFor({ state: 'attached' });
  });

  test('the note is one text, whoever writes when', async () => {
    const room = roomName('counsel');
    const expert = await come(room, 'expert', 'Kim');
    await see(expert, 'note').fill('before you came <b>&amp;</b>\n');
    const member = await come(room, 'member', 'Lee');
    await becomes('the late one’s note', () => note(member), 'before you came <b>&amp;</b>\n');
    assert.equal(await member.locator('textarea b, .counsel-note b').count(), 0, 'markup stays text');
    await see(member, 'note').focus();
    await member.keyboard.press('Control+End');
    await see(expert, 'note').focus();
    await expert.keyboard.press('Control+Home');
    // Both at once, at different places.
    await Promise.all([member.keyboard.type('from the member', { delay: 40 }), expert.keyboard.type('from the expert: ', { delay: 40 })]);
    const whole = 'from the expert: before you came <b>&amp;</b>\nfrom the member';
    await becomes('the expert’s note', () => note(expert), whole);
    await becomes('the member’s note', () => note(member), whole);
    await member.reload();
    await knock(member, 'Lee');
    await becomes('the note after coming back', () => note(member), whole);
    await expert.reload();
    await knock(expert, 'Kim');
    await becomes('the note after the other came back', () => note(expert), whole);
    await see(expert, 'note').fill('a new beginning');
    await becomes('the member’s note', () => note(member), 'a new beginning');
  });

  test('a picture is looked at before it is sent, and arrives with every byte', async () => {
    const { expert, member } = await meet();
    await see(member, 'picture-file').setInputFiles({ name: 'letter.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') });
    await member.getByText('Only PNG, JPEG, GIF and WebP pictures can be shown.').first().waitFor();
    await see(member, 'picture-file').setInputFiles({ name: 'huge.png', mimeType: 'image/png', buffer: Buffer.concat([png(4, 4), Buffer.alloc(10 * 1024 * 1024)]) });
    await member.getByText('This picture is larger than 10 MB.').first().waitFor();
    const picture = png(320, 200);
    await see(member, 'picture-file').setInputFiles({ name: 'letter.png', mimeType: 'image/png', buffer: picture });
    await see(member, 'picture-preview').waitFor();
    assert.deepEqual(await see(member, 'picture-preview').locator('canvas').evaluate(({ width, height }) => [width, height]), [320, 200]);
    assert.equal(await see(expert, 'picture').count(), 0, 'nothing is sent before it was looked at');
    await see(member, 'picture-send').click();
    for (const page of [expert, member]) await becomes('pictures', () => see(page, 'picture').count(), 1);
    assert.equal(await see(expert, 'picture').getAttribute('data-from'), 'member');
    const digest = await see(expert, 'picture').locator('img').evaluate(async (image) => {
      const bytes = await (await fetch(image.src)).arrayBuffer();
      return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    });
    assert.equal(digest, createHash('sha256').update(picture).digest('hex'));
    await see(expert, 'picture').click();
    await eventually('the picture is large', () => see(expert, 'lightbox').locator('img').evaluate((image) => image.naturalWidth === 320), { ms: LONG_MS });
    await expert.keyboard.press('Escape');
    // Who comes back has the pictures again.
    await expert.reload();
    await knock(expert, 'Kim');
    await becomes('pictures', () => see(expert, 'picture').count(), 1);
  });

  test('a second member and a second expert are refused in words, and disturb nobody', async () => {
    const { room, expert, member } = await meet();
    for (const [role, words] of [['member', 'Somebody else is in the member’s seat.'], ['expert', 'Another expert is here already.']]) {
      const third = await knock(await open(`/c/${room}?role=${role}`), 'Mallory');
      await see(third, 'counsel-ended').waitFor();
      assert.equal(await see(third, 'counsel-ended').getAttribute('data-code'), 'seat_taken');
      assert.ok((await see(third, 'counsel-ended').textContent()).includes(words));
    }
    for (const page of [expert, member]) {
      assert.equal(await see(page, 'counsel').getAttribute('data-present'), 'true');
      assert.equal(await trouble(page), null);
      await moves(page, 'counsel-remote', 'each of the two');
    }
  });

  test('a tab that dies is told to the other, and a new one takes its place', async () => {
    const { room, expert, member } = await meet();
    await see(member, 'note').fill('what I wrote');
    await becomes('the note', () => note(expert), 'what I wrote');
    await crash(member);
    await becomes('what the expert is told', () => trouble(expert), 'broke');
    const back = await come(room, 'member', 'Lee');
    await becomes('what the expert is told', () => trouble(expert), null);
    await becomes('the note', () => note(back), 'what I wrote');
    await moves(expert, 'counsel-remote', 'the expert');
    await moves(back, 'counsel-remote', 'who came back');
    await see(back, 'btn-leave').click();
    await becomes('what the expert is told', () => trouble(expert), 'left');
  });

  test('a broken line to the server is told to both, and mended without losing the call', async () => {
    const room = roomName('counsel');
    const expert = await come(room, 'expert', 'Kim');
    const member = await newPage();
    const lines = [];
    let isCut = false;
    await member.routeWebSocket(/\/ertc\?/, (line) => {
      if (isCut) line.close();
      else {
        line.connectToServer();
        lines.push(line);
      }
    });
    await member.goto(`${server.url}/c/${room}?role=member`);
    await knock(member, 'Lee');
    await moves(expert, 'counsel-remote', 'the expert');
    await member.evaluate(() => {
      window.connection = window.__madang.counsel.call.pc;
    });
    isCut = true;
    for (const line of lines) await line.close();
    await becomes('what the member is told', () => trouble(member), 'own');
    await becomes('what the expert is told', () => trouble(expert), 'broke');
    await moves(expert, 'counsel-remote', 'the expert, meanwhile,');
    await see(member, 'note').fill('written by one');
    await see(expert, 'note').fill('written by the other');
    isCut = false;
    for (const page of [member, expert]) await becomes('what is told', () => trouble(page), null);
    await becomes('the note', () => note(member), 'written by the other\nwritten by one');
    await becomes('the note', () => note(expert), 'written by the other\nwritten by one');
    assert.ok(await member.evaluate(() => window.connection === window.__madang.counsel.call.pc && window.connection.connectionState === 'connected'), 'sound and picture never stopped');
  });

  test('another way is looked for without a break, and a connection that is dead is replaced', async () => {
    const { expert, member } = await meet();
    await moves(expert, 'counsel-remote', 'the expert');
    const way = (page) => page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(window.__madang.counsel.call.pc?.remoteDescription?.sdp ?? '')?.[1] ?? '');
    for (const page of [expert, member]) {
      const before = await way(page);
      await page.evaluate(() => window.__madang.counsel.call.mend());
      await eventually('a new way', async () => ![before, ''].includes(await way(page)), { ms: LONG_MS });
      await moves(expert, 'counsel-remote', 'the expert');
      await moves(member, 'counsel-remote', 'the member');
    }
    // It is gone without a word, on one side.
    await member.evaluate(() => window.__madang.counsel.call.pc.close());
    await becomes('what the expert is told', () => trouble(expert), 'stalled');
    await becomes('what the expert is told', () => trouble(expert), null);
    await moves(expert, 'counsel-remote', 'the expert');
    await moves(member, 'counsel-remote', 'the member');
  });

  test('the member is done, the expert ends it, both see the end', async () => {
    const { expert, member } = await meet();
    assert.equal(await see(expert, 'btn-end').count(), 0, 'nothing to end before the member is done');
    await see(member, 'btn-finish').click();
    await see(member, 'confirm-finish-yes').click();
    await see(member, 'finish-said').waitFor();
    await see(expert, 'btn-end').click();
    await see(expert, 'confirm-end-yes').click();
    for (const page of [expert, member]) {
      await see(page, 'counsel-ended').waitFor();
      assert.equal(await see(page, 'counsel-ended').getAttribute('data-code'), 'ended');
      assert.match(await see(page, 'counsel-ended').textContent(), /You were together for \d+:\d\d\./);
    }
  });

  test('who was away when it ended is told when he comes back', async () => {
    const { room, expert, member } = await meet();
    await see(member, 'btn-finish').click();
    await see(member, 'confirm-finish-yes').click();
    await see(expert, 'btn-end').waitFor();
    await crash(member);
    await becomes('what the expert is told', () => trouble(expert), 'broke');
    await see(expert, 'btn-end').click();
    await see(expert, 'confirm-end-yes').click();
    await see(expert, 'counsel-ended').waitFor();
    const back = await knock(await open(`/c/${room}?role=member`), 'Lee');
    await becomes('the end', async () => (await see(back, 'counsel-ended').count()) && see(back, 'counsel-ended').getAttribute('data-code'), 'ended');
  });

  test('the same seat in a second tab takes over, and the first says so', async () => {
    const { room, expert, member } = await meet();
    // As a duplicated tab: with what the first one remembers.
    const seat = await member.evaluate(() => JSON.stringify(Object.entries(sessionStorage)));
    const second = await member.context().newPage();
    await second.addInitScript(`for (const [key, value] of ${seat}) sessionStorage.setItem(key, value)`);
    await second.goto(`${server.url}/c/${room}?role=member`);
    await knock(second, 'Lee');
    await see(member, 'counsel-ended').waitFor();
    assert.equal(await see(member, 'counsel-ended').getAttribute('data-code'), 'elsewhere');
    await moves(second, 'counsel-remote', 'the second tab');
    await moves(expert, 'counsel-remote', 'the expert');
  });
});

describe('broadcast', () => {
  afterEach(closeAll);

  const state = (page) => see(page, 'watch').getAttribute('data-state');
  const watch = async (room, options) => {
    const page = await open(`/watch/${room}`, options);
    await see(page, 'watch').waitFor();
    return page;
  };
  const studio = async (room) => {
    const page = await open(`/studio/${room}`);
    await page.waitForFunction(() => document.querySelector('[data-testid="studio-start"]')?.disabled === false);
    return page;
  };
  const onAir = async (room) => {
    const page = await studio(room);
    await see(page, 'studio-start').click();
    await becomes('the studio', () => see(page, 'studio').getAttribute('data-state'), 'live');
    return page;
  };

  test('viewers wait, see it begin by itself, are counted, and are told when it stops', async () => {
    const room = roomName('cast');
    const early = await watch(room);
    await becomes('the first viewer', () => state(early), 'waiting');
    assert.match(await see(early, 'watch-wait').textContent(), /The presenter is not here yet\./);
    const presenter = await onAir(room);
    await becomes('the first viewer', () => state(early), 'live');
    await moves(early, 'watch-video', 'who waited');
    const late = await watch(room);
    await becomes('the second viewer', () => state(late), 'live');
    await moves(late, 'watch-video', 'who came later');
    for (const [page, id] of [[presenter, 'studio-viewers'], [early, 'watch-viewers'], [late, 'watch-viewers']]) {
      await becomes('viewers', () => see(page, id).textContent(), '2');
    }
    await eventually('sound arrives too', () => late.evaluate(() => document.querySelector('[data-testid="watch-video"]').srcObject.getAudioTracks().some((track) => !track.muted)), { ms: LONG_MS });
    assert.equal(await see(presenter, 'watch-link').inputValue(), `${server.url}/watch/${room}`);
    await late.close();
    await becomes('viewers', () => see(presenter, 'studio-viewers').textContent(), '1');
    await see(presenter, 'studio-stop').click();
    await becomes('the viewer', () => state(early), 'stopped');
    assert.match(await see(early, 'watch-wait').textContent(), /The presenter has stopped\./);
    assert.match(await see(presenter, 'studio-lasted').textContent(), /The broadcast lasted \d+:\d\d\./);
    await see(presenter, 'studio-start').click();
    await becomes('the viewer', () => state(early), 'live');
    await moves(early, 'watch-video', 'who stayed');
  });

  test('a second presenter is refused in words, and the first goes on', async () => {
    const room = roomName('cast');
    const first = await onAir(room);
    const viewer = await watch(room);
    const second = await studio(room);
    await see(second, 'studio-start').click();
    await see(second, 'studio-refused').waitFor();
    assert.equal(await see(second, 'studio-refused').getAttribute('data-why'), 'busy');
    assert.match(await see(second, 'studio-refused').textContent(), /Somebody else is presenting here.*Wait until they stop/s);
    await moves(viewer, 'watch-video', 'the viewer');
    assert.equal(await see(first, 'studio').getAttribute('data-state'), 'live');
  });

  test('a studio that dies is told to the viewers; a new one is seen by who stayed', async () => {
    const room = roomName('cast');
    const first = await onAir(room);
    const viewer = await watch(room);
    await becomes('the viewer', () => state(viewer), 'live');
    await crash(first);
    await becomes('the viewer', () => state(viewer), 'stopped');
    await onAir(room);
    await becomes('the viewer', () => state(viewer), 'live');
    await moves(viewer, 'watch-video', 'who stayed');
  });

  test('a studio whose line broke has its place again, and the viewers come along', async () => {
    const room = roomName('cast');
    const presenter = await newPage();
    const lines = [];
    await presenter.routeWebSocket(/\/one2many\?/, (line) => {
      line.connectToServer();
      lines.push(line);
    });
    await presenter.goto(`${server.url}/studio/${room}`);
    await presenter.waitForFunction(() => document.querySelector('[data-testid="studio-start"]')?.disabled === false);
    await see(presenter, 'studio-start').click();
    const viewer = await watch(room);
    await moves(viewer, 'watch-video', 'the viewer');
    await lines[0].close();
    await eventually('a new line', () => lines.length > 1, { ms: LONG_MS });
    await becomes('the studio', () => see(presenter, 'studio').getAttribute('data-state'), 'live');
    await becomes('the viewer', () => state(viewer), 'live');
    await moves(viewer, 'watch-video', 'the viewer');
  });

  test('the camera, the screen and the bit rate are chosen while it is on', async () => {
    const room = roomName('cast');
    const presenter = await onAir(room);
    const viewer = await watch(room);
    await moves(viewer, 'watch-video', 'the viewer');
    await eventually('a bit rate is shown', async () => Number(await see(presenter, 'studio-bitrate').getAttribute('data-bps')) > 10_000, { ms: LONG_MS });
    await see(presenter, 'studio-ceiling').selectOption('500000');
    const ceiling = () => presenter.evaluate(() => window.__madang.studio.pulse.connection().getSenders()[1].getParameters().encodings[0].maxBitrate ?? null);
    await becomes('the ceiling', ceiling, 500_000);
    await see(presenter, 'studio-ceiling').selectOption('0');
    await becomes('the ceiling', ceiling, null);
    const camera = await see(viewer, 'watch-video').evaluate((video) => video.videoWidth);
    await see(presenter, 'btn-screen').click();
    await eventually('the screen is sent', () => presenter.evaluate(() => window.__madang.studio.screen.value !== null && window.__madang.studio.pulse.connection().getSenders()[1].track === window.__madang.studio.screen.value), { ms: LONG_MS });
    await moves(viewer, 'watch-video', 'the viewer of the screen');
    await see(presenter, 'btn-screen').click();
    await moves(viewer, 'watch-video', 'the viewer of the camera');
    assert.ok(camera > 0);
    await see(presenter, 'btn-cam').click();
    await see(viewer, 'watch-blank').waitFor();
    await see(presenter, 'btn-cam').click();
    await see(viewer, 'watch-blank').waitFor({ state: 'detached' });
    await moves(viewer, 'watch-video', 'the viewer of the camera that came back');
  });

  test('held-back sound is one press away', async () => {
    const room = roomName('cast');
    const holds = `window.holds = true; HTMLMediaElement.prototype.play = ((real) => function () {
      return !this.muted && window.holds ? Promise.reject(new DOMException('no', 'NotAllowedError')) : real.call(this);
    })(HTMLMediaElement.prototype.play)`;
    await onAir(room);
    const viewer = await watch(room, { before: holds });
    await see(viewer, 'btn-sound-on').waitFor();
    await moves(viewer, 'watch-video', 'who hears nothing yet');
    await viewer.evaluate(() => {
      window.holds = false;
    });
    await see(viewer, 'btn-sound-on').click();
    await see(viewer, 'btn-sound-on').waitFor({ state: 'detached' });
    await eventually('the sound plays', () => see(viewer, 'watch-video').evaluate((video) => !video.muted && !video.paused), { ms: LONG_MS });
  });
});

describe('Firefox', () => {
  let fox;
  before(async () => {
    fox = await openFirefox({ name: 'Fox', sender: 61, frequencyHz: 500, width: 480, height: 270, fps: 10 });
  });
  afterEach(closeAll);
  after(() => fox?.close());

  const ready = (id) => eventually(`Firefox has ${id}`, () => fox.evaluate((name) => document.querySelector(`[data-testid="${name}"]`)?.disabled === false, id), { ms: LONG_MS });
  const width = (id) => fox.evaluate((name) => document.querySelector(`[data-testid="${name}"]`)?.videoWidth ?? 0, id);

  test('a member in Firefox and an expert in Chromium', async () => {
    const room = roomName('counsel');
    await fox.goto(`${server.url}/c/${room}?role=member`);
    await ready('prejoin-mic');
    await fox.type('prejoin-name', 'Fox');
    await fox.click('prejoin-join');
    const expert = await open(`/c/${room}?role=expert`);
    await expert.waitForFunction(() => document.querySelector('[data-testid="prejoin-mic"]')?.disabled === false);
    await see(expert, 'prejoin-name').fill('Kim');
    await see(expert, 'prejoin-join').click();
    await moves(expert, 'counsel-remote', 'the expert');
    await eventually('Firefox sees the expert', () => width('counsel-remote'), { ms: LONG_MS });
    await fox.type('note', 'from the fox');
    await becomes('the note', () => see(expert, 'note').inputValue(), 'from the fox');
  });

  test('a viewer in Firefox of a studio in Chromium, and the other way round', async () => {
    const room = roomName('cast');
    await fox.goto(`${server.url}/watch/${room}`);
    await fox.waitFor('watch-wait');
    const studio = await open(`/studio/${room}`);
    await studio.waitForFunction(() => document.querySelector('[data-testid="studio-start"]')?.disabled === false);
    await see(studio, 'studio-start').click();
    await eventually('Firefox sees the presenter', () => width('watch-video'), { ms: LONG_MS });
    const other = roomName('cast');
    const viewer = await open(`/watch/${other}`);
    await fox.goto(`${server.url}/studio/${other}`);
    await ready('studio-start');
    await fox.click('studio-start');
    await moves(viewer, 'watch-video', 'the viewer of Firefox');
  });
});

// A picture that no other is like.
function png(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Array.from({ length: height }, () => Buffer.concat([Buffer.from([0]), randomBytes(width * 3)]));
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.concat(rows))), chunk('IEND', Buffer.alloc(0))]);
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}
