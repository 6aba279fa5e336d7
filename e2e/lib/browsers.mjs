// Real browsers behind one small face: Chromium through playwright-core, Firefox through puppeteer-core (WebDriver BiDi).
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { SignalRequest, SignalResponse } from '@livekit/protocol';
import { eventually } from './measure.mjs';

const HERE = import.meta.dirname;
const observe = readFileSync(resolve(HERE, '../page/observe.js'), 'utf8');
const firstOf = (what, paths) => {
  const found = paths.find((path) => path !== undefined && existsSync(path));
  if (!found) throw new Error(`no ${what}: run e2e/setup.sh`);
  return found;
};
const chromiumPath = () => firstOf('chromium', [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']);
const firefoxPath = () => firstOf('firefox', [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox']);

// The SDK test page, bundled in memory and served from a loopback port (a secure context in both browsers).
let pageServer;
export const sdkPage = async () => {
  pageServer ??= (async () => {
    const { outputFiles } = await build({ entryPoints: [resolve(HERE, '../page/sdk.js')], bundle: true, write: false, format: 'iife', target: 'es2022', logLevel: 'error' });
    const script = outputFiles[0].text;
    const server = createServer((request, response) => {
      const isScript = request.url === '/sdk.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' });
      response.end(isScript ? script : '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>SDK test page</title><link rel="icon" href="data:,"><style>[data-testid=tile]{display:inline-block}video{width:290px}</style></head><body><script src="/sdk.js"></script></body></html>');
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    server.unref();
    return `http://127.0.0.1:${server.address().port}/`;
  })();
  return pageServer;
};

class Visitor {
  constructor(page, { name, sender, frequencyHz, close }) {
    Object.assign(this, { page, name, sender, frequencyHz, closeBrowser: close });
    this.console = [];
    page.on('console', (message) => this.console.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.console.push(`page error: ${error}`));
  }

  evaluate(work, argument) {
    return this.page.evaluate(work, argument);
  }

  goto(url) {
    return this.page.goto(url, { waitUntil: 'load' });
  }

  selector(id) {
    return id.startsWith('[') ? id : `[data-testid="${id}"]`;
  }

  has(id) {
    return this.evaluate((selector) => document.querySelector(selector) !== null, this.selector(id));
  }

  async waitFor(id, ms = 15_000) {
    const selector = this.selector(id);
    await eventually(`${this.name} sees ${selector}`, () => this.evaluate((s) => document.querySelector(s)?.getClientRects().length > 0, selector), { ms });
  }

  async click(id) {
    await this.waitFor(id);
    await this.page.click(this.selector(id));
  }

  async type(id, text) {
    await this.waitFor(id);
    const selector = this.selector(id);
    await this.page.click(selector);
    await this.evaluate((s) => document.querySelector(s).select?.(), selector);
    await this.page.type(selector, text);
  }

  sdk(method, ...args) {
    return this.evaluate(({ method: m, args: a }) => window.sdk[m](...a), { method, args });
  }

  // How many frames of it the browser painted.
  painted(identity, since = 0, source = 'camera') {
    return this.evaluate(({ key, since: s }) => window.__e2e.painted(key, s), { key: `${identity}/${source}`, since });
  }

  frames(identity, since = 0, source = 'camera') {
    return this.evaluate(({ key, since: s }) => window.__e2e.frames(key, s), { key: `${identity}/${source}`, since });
  }

  sent(identity = this.identity, since = 0) {
    return this.evaluate(({ key, since: s }) => window.__e2e.sent(key, s), { key: `${identity}/camera`, since });
  }

  hear(identity, frequencies, ms = 1500) {
    return this.evaluate(({ identity: i, frequencies: f, ms: m }) => window.__e2e.hear(i, f, m), { identity, frequencies, ms });
  }

  // What the page believes, for the message of a failure.
  async belief() {
    const room = await this.evaluate(() => {
      const r = window.__madang?.room;
      if (!r) return 'no room';
      const tracks = (p) => [...p.trackPublications.values()].map((t) => `${t.source}:${t.trackSid}${t.isMuted ? ' muted' : ''}${t.track ? '' : ' no track'}${t.isSubscribed === false ? ' unsubscribed' : ''}`);
      return { state: r.state, me: r.localParticipant.identity, mine: tracks(r.localParticipant), others: [...r.remoteParticipants.values()].map((p) => `${p.identity}: ${tracks(p).join(', ')}`) };
    });
    const tiles = await this.evaluate(() => [...document.querySelectorAll('[data-testid="tile"]')].map((t) => `${t.dataset.identity}/${t.dataset.source}${t.querySelector('video') ? '' : ' no video'}`));
    return `${this.name}: ${JSON.stringify({ room, tiles })}\n${this.console.filter((line) => !/^(log|info|debug)/.test(line)).slice(-5).join('\n')}`;
  }

  async signals() {
    const dump = await this.evaluate(() => window.__e2e.dumpSignals());
    return dump.map(({ data, way, ...rest }) => {
      if (data === undefined) return { way, ...rest };
      const bytes = Buffer.from(data, 'base64');
      return { way, ...rest, message: (way === '<' ? SignalResponse : SignalRequest).fromBinary(bytes).message };
    });
  }

  async close() {
    await this.closeBrowser();
  }
}

// Small: without a graphics card every painted pixel costs the processor that also encodes and decodes.
const VIEWPORT = { width: 960, height: 540 };

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--mute-audio',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];

const prepare = async (page, add, { recordSignals }) => {
  await add(`${observe};${recordSignals ? 'window.__e2e.record();' : ''}`);
};

// A Chromium whose camera and microphone play files. `visitor()` opens a further, separate person in it; `permissions: []` makes it somebody who was
// never asked (and so sends mDNS names instead of addresses). `executable` makes of the program's path one that starts it elsewhere, `script` runs in each
// page before its own.
export const openChromium = async ({ name, sender, frequencyHz, video, audio, permissions, locale = 'en-US', recordSignals = false, flags = [], executable = (path) => path, script = '' }) => {
  const browser = await chromium.launch({
    executablePath: executable(chromiumPath()),
    headless: true,
    args: [...CHROMIUM_FLAGS, ...(video ? [`--use-file-for-fake-video-capture=${video}`] : []), ...(audio ? [`--use-file-for-fake-audio-capture=${audio}`] : []), ...flags],
  });
  const visitor = async (options = {}) => {
    const context = await browser.newContext({ locale, viewport: VIEWPORT, ...(options.permissions ? { permissions: options.permissions } : {}) });
    const page = await context.newPage();
    await prepare(page, (observed) => page.addInitScript(`${observed};${options.permissions ? 'window.__e2e.refuse();' : ''}${script}`), { recordSignals });
    return new Visitor(page, { name: options.name ?? name, sender, frequencyHz, close: () => (options.close ? browser.close() : context.close()) });
  };
  const first = await visitor({ name, permissions, close: true });
  first.another = visitor;
  first.version = browser.version();
  return first;
};

export const openFirefox = async ({ name, sender, frequencyHz, width, height, fps, recordSignals = false }) => {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefoxPath(),
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.permission.disabled': true,
      'media.navigator.streams.fake': true,
      'media.navigator.audio.fake_frequency': frequencyHz,
      'media.gmp-manager.updateEnabled': false,
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      'media.peerconnection.ice.loopback': true,
      'intl.accept_languages': 'en-US',
      'app.update.enabled': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'toolkit.telemetry.enabled': false,
    },
  });
  const page = await browser.newPage();
  await page.setViewport(VIEWPORT);
  const standIn = JSON.stringify({ sender, width, height, fps });
  await prepare(page, (script) => page.evaluateOnNewDocument(`${script};window.__e2e.standIn(${standIn})`), { recordSignals });
  const visitor = new Visitor(page, { name, sender, frequencyHz, close: () => browser.close() });
  visitor.version = await browser.version();
  return visitor;
};
