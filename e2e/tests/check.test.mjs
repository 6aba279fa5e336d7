// The page that says whether a call will work: on a good network, on one that drops UDP, and before a server that wants an invitation.
import { after, afterEach, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { chromium } from 'playwright-core';
import { openFirefox } from '../lib/browsers.mjs';
import { openCabled, skipWithoutNamespaces } from '../lib/netns.mjs';
import { metric, metricSum, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { eventually } from '../lib/measure.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
];
const LONG_MS = 60_000;
const PERMISSIONS = ['camera', 'microphone', 'clipboard-read', 'clipboard-write'];

const see = (page, id) => page.getByTestId(id);
const finished = (page) => page.locator('[data-testid="check"][data-state="done"]').waitFor({ timeout: LONG_MS });
// Every line of the page: `udp` → `ok way_works`.
const lines = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll('.check-row')].map(({ dataset }) => [dataset.testid.slice('check-'.length), `${dataset.verdict} ${dataset.code}`])));
const summary = (page) => see(page, 'check-summary').evaluate(({ dataset, innerText }) => ({ tone: dataset.tone, first: dataset.first, text: innerText }));
// A person, who begins at the first screen and has pressed something there.
const visit = async (browser, url, permissions = PERMISSIONS) => {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, locale: 'en-US', permissions });
  context.setDefaultTimeout(LONG_MS);
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await page.goto(url);
  await see(page, 'home-check').click();
  return page;
};

describe('a good network', () => {
  let server;
  let browser;
  before(async () => {
    server = await startServer();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('everything is well, devices when they are asked for, and the report keeps no secret', async () => {
    const secrets = [];
    const page = await visit(browser, server.url);
    await finished(page);
    // Pressed, so that the browser lets the page make sounds, and asked after all that the server hands out.
    const handsOut = ['/api/token', '/turn'].map((path) => page.waitForResponse((response) => response.url() === server.url + path));
    await see(page, 'check-again').click();
    for (const response of await Promise.all(handsOut)) {
      if (response.ok()) secrets.push(...(await response.text()).matchAll(/"(?:token|username|credential)":"([^"]+)"/g));
    }
    await finished(page);
    const found = await lines(page);
    for (const id of ['page', 'browser', 'http', 'socket', 'udp']) assert.match(found[id], /^ok /, `${id}: ${found[id]}`);
    // The tone and the picture came back. How fast and how many is a matter of the machine.
    assert.match(found.call, /^(ok call_ok|limits call_late)$/);
    for (const id of ['quality', 'bandwidth']) assert.match(found[id], new RegExp(`^(ok|limits) ${id}_`), `${id}: ${found[id]}`);
    for (const id of ['stun', 'tcp', 'turn_udp', 'turn_tcp', 'turn_tls']) assert.match(found[id], /^(ok |neutral not_offered$)/, `${id}: ${found[id]}`);
    assert.match(found.camera, /^neutral /, 'nobody was asked for a camera');
    assert.notEqual((await summary(page)).tone, 'fault');

    await see(page, 'check-devices').click();
    await eventually('camera and microphone are well', async () => {
      const { camera, microphone } = await lines(page);
      return camera === 'ok camera_ok' && microphone === 'ok microphone_ok';
    }, { ms: LONG_MS });
    assert.match((await summary(page)).text, /^(You can be heard and seen from here|A call works from here, with limits)/);

    await see(page, 'check-copy').click();
    const report = await page.evaluate(() => navigator.clipboard.readText());
    const { seen, findings } = JSON.parse(report);
    assert.equal(seen.call.state, 'works');
    assert.ok(seen.call.tone && seen.call.frames_sent > 0 && seen.call.rtt_ms !== null, JSON.stringify(seen.call));
    assert.ok(seen.bandwidth.up_bps > 0 && seen.bandwidth.down_bps > 0);
    assert.equal(findings.find(({ check }) => check === 'udp').verdict, 'ok');
    assert.ok(secrets.length > 0);
    for (const [, secret] of secrets) assert.ok(!report.includes(secret), 'a secret is in the report');

    await see(page, 'toggle-language').click();
    await page.getByText('여기서 통화할 수 있을까요?').waitFor();
    assert.equal((await lines(page)).udp, found.udp, 'the same findings in other words');
    assert.deepEqual(page.errors, []);
  });

  test('somebody who granted nothing has the connection checked, and is told how to allow the devices', async () => {
    const page = await visit(browser, server.url, []);
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException('Permission denied', 'NotAllowedError');
      };
    });
    await finished(page);
    assert.match((await lines(page)).udp, /^ok /);
    if (await see(page, 'check-devices').isVisible()) await see(page, 'check-devices').click();
    await see(page, 'prejoin-help').waitFor();
    assert.equal(await see(page, 'prejoin-help').locator('[data-cause]').getAttribute('data-cause'), 'blocked');
    const { tone, first, text } = await summary(page);
    assert.deepEqual([tone, first], ['fault', 'microphone']);
    assert.match(text, /You cannot be heard from here/);
  });

  test('in Firefox, too', async () => {
    const firefox = await openFirefox({ name: 'Firefox' });
    try {
      await firefox.goto(`${server.url}/check`);
      await firefox.waitFor('[data-testid="check"][data-state="done"]', LONG_MS);
      const found = await lines(firefox.page);
      for (const id of ['page', 'browser', 'http', 'socket', 'udp']) assert.match(found[id], /^ok /, `${id}: ${found[id]}`);
      assert.match(found.call, /^(ok call_ok|limits call_late)/);
      assert.match(found.bandwidth, /^(ok|limits) bandwidth_/);
    } finally {
      await firefox.close();
    }
  });

  test('nothing stays behind', async () => {
    const page = await visit(browser, server.url);
    await eventually('the check is in a room', async () => (await metricSum(server, 'madang_directory_members')) > 1, { ms: LONG_MS });
    await finished(page);
    await eventually('all members are gone', async () => (await metricSum(server, 'madang_directory_members')) === 0, { ms: LONG_MS });
    await see(page, 'check-again').click();
    await eventually('the check is in a room', async () => (await metricSum(server, 'madang_directory_members')) > 1, { ms: LONG_MS });
    await page.getByText('madang', { exact: true }).click();
    await see(page, 'home').waitFor();
    await eventually('all members are gone when the page is left', async () => (await metricSum(server, 'madang_directory_members')) === 0, { ms: LONG_MS });
  });
});

for (const relays of [true, false]) describe(`a network that drops UDP, ${relays ? 'and a relay over TCP' : 'and no relay'}`, { skip: skipUnlessOwned() || skipWithoutNamespaces() }, () => {
  let network;
  let server;
  let browser;
  before(async () => {
    network = openCabled();
    server = await startServer({ own: true, address: network.address, env: { MADANG_TURN_ENABLED: String(relays), MADANG_ICE_TCP: 'false' } });
    browser = await chromium.launch({ executablePath: network.executable(CHROMIUM), args: [...FLAGS, `--unsafely-treat-insecure-origin-as-secure=${server.url}`] });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    network?.close();
  });

  test('is named, with the address and the remedy; and is well again when it passes', async () => {
    network.dropUdp(true);
    const page = await visit(browser, server.url);
    await finished(page);
    const found = await lines(page);
    for (const id of ['page', 'http', 'socket']) assert.match(found[id], /^ok /, `${id}: ${found[id]}`);
    assert.equal(found.udp, relays ? 'limits udp_detour' : 'fault udp_blocked');
    if (relays) assert.match(found.turn_tcp, /^ok /);
    const { tone, first, text } = await summary(page);
    assert.equal(first, 'udp');
    assert.equal(tone, found.udp.split(' ')[0]);
    assert.ok(text.includes(`${network.address}:${server.udpPort}`), text);
    assert.match(text, /Ask whoever runs this network to allow it, or try another one/);
    if (relays) assert.equal(found.call, 'limits call_relayed');
    else assert.deepEqual([found.call, found.bandwidth], ['fault call_fails', 'skipped ']);

    await page.goto(`${server.url}/r/${roomName('udp')}`);
    await see(page, 'prejoin-name').fill('Kim');
    await see(page, 'prejoin-join').click();
    if (relays) {
      await see(page, 'room').waitFor();
    } else {
      // Whoever fails to join is led here.
      await see(page, 'error').waitFor();
      assert.equal(await see(page, 'error').getAttribute('data-code'), 'media_failed');
      assert.equal(await see(page, 'check-link').getAttribute('href'), '/check');
    }
    await page.goto(`${server.url}/check`);
    await finished(page);
    assert.equal((await summary(page)).first, 'udp');

    network.dropUdp(false);
    await see(page, 'check-again').click();
    await finished(page);
    assert.equal((await lines(page)).udp, 'ok way_works');
    assert.notEqual((await summary(page)).tone, 'fault');
  });
});

describe('a server with keys of its own', { skip: skipUnlessOwned() }, () => {
  let server;
  let browser;
  before(async () => {
    server = await startServer({ own: true, key: 'courtyard', secret: 'a secret of at least thirty-two characters' });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('asks for an invitation, and checks in its room once that is agreed', async () => {
    const page = await visit(browser, server.url);
    await finished(page);
    assert.deepEqual([(await lines(page)).socket, (await lines(page)).udp], ['neutral needs_invitation', 'skipped ']);
    await see(page, 'check-pasted').fill(`${server.url}/r/yard`);
    await see(page, 'check-invited').click();
    await page.getByText('There is no invitation in this link.').waitFor();
    const room = roomName('check');
    await see(page, 'check-pasted').fill(`${server.url}/r/${room}#token=${await joinToken(server, { room, identity: 'kim' })}`);
    await see(page, 'check-invited').click();
    await see(page, 'check-meeting').waitFor();
    assert.ok((await see(page, 'check-meeting').innerText()).includes(room));
    assert.deepEqual([...(await metric(server, 'madang_directory_members')).values()], [0], 'nobody enters a meeting without asking');
    await see(page, 'check-start').click();
    await finished(page);
    const found = await lines(page);
    assert.match(found.udp, /^ok /);
    assert.match(found.call, /^(ok call_ok|limits call_late)/);
    assert.ok(!(await see(page, 'check-report').textContent()).includes('eyJ'), 'no token in the report');
  });

  test('an invitation that is no good is named, and nothing is blamed on the network', async () => {
    const page = await visit(browser, server.url);
    const old = (await joinToken(server, { room: 'check', identity: 'kim' })).replace(/[^.]+$/, 'forged');
    await page.goto(`${server.url}/check#token=${old}`);
    await finished(page);
    assert.equal((await lines(page)).socket, 'fault socket_refused');
    const { first, text } = await summary(page);
    assert.equal(first, 'socket');
    assert.ok(!text.includes('eyJ'));
  });
});
