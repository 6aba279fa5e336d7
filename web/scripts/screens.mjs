// A picture of every screen, in both languages, both lights and two widths, and an accessibility check (axe-core) of each.
//   npm run screens [-- --url http://127.0.0.1:7880] [--out DIR] [--chromium PATH] [--part rooms|pages|check] [--only room,chat] [--combo ko-dark-390]
// Without --url it starts the release binary of this repository on free ports. A server elsewhere must hand out tokens (development
// mode). Ends with 1 when axe finds anything, or a page breaks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { walkCheck } from './check-scenes.mjs';
import { walkPages } from './page-scenes.mjs';
import { drawnCamera, noCamera } from './stand-ins.mjs';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    out: { type: 'string', default: fileURLToPath(new URL('../../target/screens', import.meta.url)) },
    server: { type: 'string', default: fileURLToPath(new URL('../../target/release/madang', import.meta.url)) },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    part: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    combo: { type: 'string', default: '' },
  },
});

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--mute-audio', '--autoplay-policy=no-user-gesture-required', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
];
const PEERS = [
  { name: '김하늘', hue: 150 },
  { name: 'Ada Lovelace', hue: 24 },
];
const ROOM = `yard-${Math.random().toString(36).slice(2, 7)}`;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const only = options.only ? options.only.split(',') : null;

const troubles = [];
let shots = 0;
mkdirSync(options.out, { recursive: true });
const server = options.url ? null : await startServer();
const browser = await chromium.launch({ executablePath: options.chromium, args: FLAGS });
// As in a company that lets no UDP through.
const confined = wants('check') ? await chromium.launch({ executablePath: options.chromium, args: [...FLAGS, '--webrtc-ip-handling-policy=disable_non_proxied_udp'] }) : null;
try {
  const peers = [];
  if (wants('rooms')) for (const peer of PEERS) peers.push(await peerOf(peer));
  for (const language of ['en', 'ko']) {
    for (const light of ['light', 'dark']) {
      for (const width of [1280, 390]) {
        if (options.combo && options.combo !== `${language}-${light}-${width}`) continue;
        if (wants('rooms')) await walk(language, light, width, peers);
        if (wants('pages')) await pages(language, light, width);
        if (wants('check')) await check(language, light, width);
      }
    }
  }
} finally {
  await browser.close();
  await confined?.close();
  server?.kill('SIGTERM');
}
console.log(`${shots} pictures in ${options.out}`);
for (const trouble of troubles) console.error(trouble);
console.log(troubles.length === 0 ? 'axe: clean' : `${troubles.length} findings`);
process.exit(troubles.length === 0 ? 0 : 1);

function wants(part) {
  return options.part === '' || options.part === part;
}

async function startServer() {
  const [port, mediaPort] = [await freePort(), await freePort()];
  const child = spawn(options.server, ['serve', '--dev', '--port', String(port), '--udp-port', String(mediaPort), '--log-level', 'warn'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const failed = new Promise((_, reject) => {
    child.once('error', (error) => reject(new Error(`${options.server} does not start (${error.message}): build it, or give --url`)));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  failed.catch(() => undefined);
  options.url = `http://localhost:${port}`;
  const ready = async () => {
    while (!(await fetch(`${options.url}/healthz`).then((answer) => answer.ok, () => false))) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  await Promise.race([ready(), failed]);
  return child;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Somebody to meet: stays in the room for the whole walk. */
async function peerOf({ name, hue }) {
  const context = await browser.newContext({ viewport: { width: 640, height: 420 }, locale: 'ko-KR' });
  await context.addInitScript(drawnCamera, { hue, name });
  const page = await context.newPage();
  await enter(page, ROOM, name);
  return page;
}

async function enter(page, room, name) {
  await page.goto(`${options.url}/r/${room}`);
  await page.getByTestId('prejoin-name').fill(name);
  await page.locator('[data-testid="prejoin-cam"][aria-pressed="true"]').waitFor();
  await page.getByTestId('prejoin-join').click();
  await page.getByTestId('room').waitFor({ timeout: 20_000 });
}

async function pages(language, light, width) {
  const combo = `${language}-${light}-${width}`;
  const open = async (hue) => {
    const context = await browser.newContext(visitor(language, light, width));
    await context.addInitScript(drawnCamera, { hue, name: 'Me' });
    const page = await context.newPage();
    watch(page, combo);
    return page;
  };
  await walkPages({ url: options.url, language, phone: width < 700, person: open, other: open, shoot: (page, scene) => picture(page, scene, combo) });
}

async function check(language, light, width) {
  const combo = `${language}-${light}-${width}`;
  const person = async (hue, { blocked = false, devices = true } = {}) => {
    const { permissions, ...rest } = visitor(language, light, width);
    const context = await (blocked ? confined : browser).newContext({ ...rest, permissions: devices ? permissions : [] });
    if (devices) await context.addInitScript(drawnCamera, { hue, name: 'Ada' });
    else await context.addInitScript(noCamera);
    const page = await context.newPage();
    watch(page, combo);
    return page;
  };
  await walkCheck({ url: options.url, person, shoot: (page, scene) => picture(page, scene, combo, true) });
}

/** Somebody with this language, light and screen. */
function visitor(language, light, width) {
  const phone = width < 700;
  return {
    viewport: { width, height: phone ? 844 : 800 },
    locale: language === 'ko' ? 'ko-KR' : 'en-US',
    colorScheme: light,
    hasTouch: phone,
    isMobile: phone,
    deviceScaleFactor: phone ? 2 : 1,
    permissions: ['camera', 'microphone', 'clipboard-write'],
  };
}

async function walk(language, light, width, peers) {
  const combo = `${language}-${light}-${width}`;
  const phone = width < 700;
  const context = await browser.newContext(visitor(language, light, width));
  await context.addInitScript(drawnCamera, { hue: 210, name: 'Me' });
  await context.addInitScript(() => localStorage.setItem('madang.recent', JSON.stringify([{ room: 'yard', at_ms: 2 }, { room: '주간 회의', at_ms: 1 }])));
  const page = await context.newPage();
  watch(page, combo);
  const name = language === 'ko' ? '이마당' : 'Grace Hopper';
  const tool = async (id) => {
    if (phone && !['btn-chat', 'btn-mic', 'btn-cam', 'btn-leave'].includes(id)) await page.getByTestId('btn-more').click();
    await page.getByTestId(id).click();
  };
  const shoot = (scene) => picture(page, scene, combo);

  await page.goto(options.url);
  await page.getByTestId('home-start').waitFor();
  await shoot('01-home');

  await page.goto(`${options.url}/r/${ROOM}`);
  await page.locator('[data-testid="prejoin-cam"][aria-pressed="true"]').waitFor();
  await page.getByTestId('prejoin-name').fill(name);
  await shoot('02-prejoin');
  await blocked(combo, width, light, language);

  await enter(page, `${ROOM}-${combo}`, name);
  await page.getByTestId('alone').waitFor();
  await shoot('04-room-alone');

  await enter(page, ROOM, name);
  await page.waitForFunction((count) => document.querySelectorAll('[data-testid="tile"][data-video="true"] video').length === count, 1 + peers.length);
  await page.waitForTimeout(1_500);
  await shoot('05-room-grid');
  await tool('btn-layout');
  // A large picture becomes sharp when its larger encoding has arrived.
  await page.waitForTimeout(3_000);
  await shoot('06-room-speaker');
  await tool('btn-layout');

  await peers[0].evaluate(() => window.__madang.room.localParticipant.setAttributes({ hand: String(Date.now()) }));
  await tool('btn-chat');
  await say(peers[0], language === 'ko' ? '안녕하세요! 잘 들리시나요?' : 'Hello! Can you hear me?');
  await say(peers[1], language === 'ko' ? '네, 잘 들려요. 자료는 https://example.org/doc 에 있어요.' : 'Yes, loud and clear. The notes: https://example.org/doc');
  await page.getByTestId('chat-input').fill(language === 'ko' ? '고맙습니다.' : 'Thank you.');
  await page.getByTestId('chat-send').click();
  await page.waitForTimeout(600);
  await shoot('07-chat');
  await page.getByTestId('chat').locator('.panel-head button').click();

  await tool('btn-people');
  await shoot('08-people');
  await page.getByTestId('people').locator('.panel-head button').click();

  await tool('btn-shortcuts');
  await shoot('09-shortcuts');
  await page.keyboard.press('Escape');
  await tool('btn-settings');
  await shoot('10-settings');
  await page.keyboard.press('Escape');
  await tool('btn-stats');
  await page.waitForTimeout(1_500);
  await shoot('11-statistics');
  await tool('btn-stats');

  if (phone) await page.getByTestId('btn-more').click();
  else await page.getByTestId('menu-mic').click();
  await shoot('12-menu');
  await page.keyboard.press('Escape');

  // The connection's socket breaks and the network with it: the banner says so.
  await context.setOffline(true);
  await page.evaluate(() => window.__madang.room.simulateScenario('signal-reconnect').catch(() => undefined));
  await page.getByTestId('banner-reconnect').waitFor({ timeout: 15_000 });
  await shoot('13-reconnect');
  await context.setOffline(false);
  await page.getByTestId('banner-reconnect').waitFor({ state: 'detached', timeout: 30_000 });

  await peers[0].evaluate(() => window.__madang.room.localParticipant.setAttributes({ hand: '' }));
  await page.getByTestId('btn-leave').click();
  await page.getByTestId('left').waitFor();
  await shoot('14-left');

  await page.goto(`${options.url}/r/yard#token=${expiredToken()}`);
  await page.getByTestId('error').waitFor();
  await shoot('15-error');
  await context.close();
}

async function blocked(combo, width, light, language) {
  const context = await browser.newContext({ viewport: { width, height: width < 700 ? 844 : 800 }, locale: language === 'ko' ? 'ko-KR' : 'en-US', colorScheme: light });
  await context.addInitScript(noCamera);
  const page = await context.newPage();
  watch(page, combo);
  await page.goto(`${options.url}/r/${ROOM}`);
  await page.getByTestId('prejoin-help').waitFor();
  await picture(page, '03-prejoin-blocked', combo);
  await context.close();
}

async function say(page, text) {
  if (!(await page.getByTestId('chat').count())) await page.getByTestId('btn-chat').click();
  await page.getByTestId('chat-input').fill(text);
  await page.getByTestId('chat-send').click();
  await page.waitForTimeout(150);
}

async function picture(page, scene, combo, fullPage = false) {
  if (only && !only.some((part) => scene.includes(part))) return;
  await page.waitForTimeout(350);
  await page.screenshot({ path: join(options.out, `${scene}-${combo}.png`), fullPage });
  shots++;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) troubles.push(`${scene} ${combo}: ${wide} px wider than the screen`);
  // Through the debugger, not as a script of the page: the content security policy stays in force.
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.slice(0, 3).map((node) => `${node.target.join(' ')} — ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`).join(' | ')}`);
  });
  for (const violation of violations) troubles.push(`${scene} ${combo}: ${violation}`);
}

function watch(page, combo) {
  page.on('pageerror', (error) => troubles.push(`${combo}: page error: ${error.message}`));
  page.on('console', (message) => {
    // A broken connection may be complained about; a refused script or style may not happen.
    if (/content security policy/i.test(message.text())) troubles.push(`${combo}: ${message.text()}`);
  });
}

function expiredToken() {
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: 'guest', exp: 1, video: { room: 'yard', roomJoin: true } })}.none`;
}
