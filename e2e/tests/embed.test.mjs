// A broadcast on a page of another origin: somebody presents from one page and others watch on another, frame by frame.
import { after, before, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { createServer } from 'node:http';
import { openChromium } from '../lib/browsers.mjs';
import { videoClip } from '../lib/clips.mjs';
import { eventually, wait } from '../lib/measure.mjs';
import { senderOf } from '../lib/marks.mjs';
import { startServer } from '../lib/server.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';

const CLIP = { width: 640, height: 360, fps: 10 };
const SENDER = 31;
// How long something may take on a machine that is busy with other things. Nothing is measured by it.
const LONG_MS = 45_000;

let server;
let theirs;
let at;
let person;
const people = [];
before(async () => {
  server = await startServer();
  // As strict as a page may be; nothing of it is ours but what its policy names.
  const policy = `default-src 'none'; script-src ${server.url}; connect-src ${server.url}; img-src data:`;
  theirs = createServer((request, response) => {
    const body = new URL(request.url, 'http://theirs').searchParams.get('body') ?? '';
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy });
    response.end(`<!doctype html><html lang="ko"><meta charset="utf-8"><link rel="icon" href="data:,"><title>theirs</title>
<script defer src="${server.url}/embed/watch.js"></script><script defer src="${server.url}/embed/publish.js"></script>${body}</html>`);
  });
  await new Promise((done) => theirs.listen(0, 'localhost', done));
  at = `http://localhost:${theirs.address().port}/`;
  person = await openChromium({ name: 'presenter', sender: SENDER, frequencyHz: 500, video: videoClip({ sender: SENDER, seconds: 16, ...CLIP }) });
});
after(async () => {
  for (const one of people) await one.close();
  await person?.close();
  await server?.stop();
  theirs?.close();
});

const show = async (visitor, body) => {
  await visitor.page.goto(`${at}?${new URLSearchParams({ body })}`, { waitUntil: 'load' });
  return visitor;
};
const another = async (name, body) => {
  const visitor = await person.another({ name });
  people.push(visitor);
  return show(visitor, body);
};
const element = (visitor, read) => visitor.page.evaluate(read);
const state = (visitor) => element(visitor, () => document.querySelector('madang-watch, madang-publish')?.state);
const becomes = (visitor, expected) => eventually(`${visitor.name} is ${expected}`, async () => (await state(visitor)) === expected, { ms: LONG_MS });
const part = (visitor, name) => visitor.page.locator(`madang-watch [part~="${name}"], madang-publish [part~="${name}"]`);
// Frames that the player shows, by the mark in each.
const frames = (visitor, count) =>
  visitor.page.evaluate(async (wanted) => {
    const { video } = document.querySelector('madang-watch');
    const canvas = document.createElement('canvas');
    const seen = [];
    while (seen.length < wanted) {
      await new Promise((done) => video.requestVideoFrameCallback(done));
      seen.push(window.__e2e.readMark(video, video.videoWidth, video.videoHeight, canvas));
    }
    return seen;
  }, count);
const gauges = async () => (await (await fetch(`${server.url}/metrics`)).text()).split('\n').filter((line) => /^madang_(connections|directory_(members|rooms|seats))(\{.*\})? [1-9]/.test(line));

test('from one page of theirs to another: waiting, live, ended, and nothing stays behind', { timeout: 300_000 }, async () => {
  const room = roomName('embed');
  const watches = await joinToken(server, { room, identity: 'page', grant: { canPublish: false } });
  const viewer = await another('viewer', `<madang-watch src="${server.url}/whep/${room}" token="${watches}" controls></madang-watch>`);
  await becomes(viewer, 'waiting');
  assert.equal(await part(viewer, 'title').textContent(), '아직 방송이 시작되지 않았습니다');

  const presents = await joinToken(server, { room, identity: 'presenter' });
  await show(person, `<madang-publish src="${server.url}/whip/${room}" token="${presents}"></madang-publish>`);
  assert.equal(await state(person), 'idle', 'nobody is asked for a camera before he presses');
  await part(person, 'retry').click();
  await eventually('the preview is there', () => element(person, () => document.querySelector('madang-publish').video.videoWidth > 0), { ms: LONG_MS });
  await part(person, 'start').click();
  await becomes(person, 'live');
  await becomes(viewer, 'live');

  const seen = await frames(viewer, 30);
  const readable = seen.filter((id) => id >= 0);
  assert.ok(readable.length >= 27, `frames are readable: ${seen}`);
  assert.deepEqual([...new Set(readable.map(senderOf))], [SENDER], 'of that presenter');
  assert.ok(new Set(readable).size >= 10, `the picture moves: ${seen}`);

  await viewer.page.evaluate(() => dispatchEvent(new Event('online')));
  await becomes(viewer, 'live');
  assert.ok((await frames(viewer, 5)).some((id) => id >= 0), 'after another network');

  await part(person, 'start').click();
  await becomes(person, 'idle');
  await becomes(viewer, 'ended');
  await part(person, 'start').click();
  await becomes(viewer, 'live');

  // Moved within the page: the same session. Taken out: none.
  const asked = [];
  viewer.page.on('request', (request) => asked.push(request.method()));
  await viewer.page.evaluate(() => document.body.append(document.querySelector('madang-watch')));
  await wait(300);
  assert.deepEqual(asked, []);
  await viewer.page.evaluate(() => document.querySelector('madang-watch').remove());
  await eventually('the viewer takes his leave', () => asked.includes('DELETE'), { ms: LONG_MS });
  await person.page.evaluate(() => document.querySelector('madang-publish').remove());
  await eventually('nothing stays behind', async () => (await gauges()).length === 0, { ms: LONG_MS }).catch(async (error) => {
    throw new Error(`${error.message}: ${await gauges()}`);
  });
});

test('what is refused is said in words', { timeout: 120_000 }, async () => {
  const viewer = await another('lost', '<madang-watch lang="en"></madang-watch>');
  await becomes(viewer, 'refused');
  assert.equal(await part(viewer, 'title').textContent(), 'The address is missing');
  const room = roomName('embed');
  await viewer.page.evaluate((src) => Object.assign(document.querySelector('madang-watch'), { src, token: 'x.y.z' }), `${server.url}/whep/${room}`);
  await eventually('it says what is missing', async () => (await part(viewer, 'title').textContent()) === 'A valid invitation is needed', { ms: LONG_MS });
  const watches = await joinToken(server, { room, identity: 'page', grant: { canPublish: false } });
  await viewer.page.evaluate((token) => Object.assign(document.querySelector('madang-watch'), { token }), watches);
  await becomes(viewer, 'waiting');
  const blind = await another('blind', `<madang-publish lang="en" src="${server.url}/whip/${room}" token="${watches}"></madang-publish>`);
  await part(blind, 'retry').click();
  await eventually('a preview', () => element(blind, () => document.querySelector('madang-publish').video.videoWidth > 0), { ms: LONG_MS });
  await part(blind, 'start').click();
  await eventually('a token to watch does not publish', async () => (await part(blind, 'title').textContent()) === 'Your invitation does not allow this', { ms: LONG_MS });
  const shy = await person.another({ name: 'shy', permissions: [] });
  people.push(shy);
  await show(shy, `<madang-publish lang="en" src="${server.url}/whip/${roomName('embed')}"></madang-publish>`);
  await part(shy, 'retry').click();
  await eventually('the remedy is there', async () => (await part(shy, 'title').textContent()) === 'Camera or microphone is blocked', { ms: LONG_MS });
});
