// Chromium x 2, Firefox x 1 and a visitor who was never asked for a camera, in one room: everyone sees, hears and reads everyone else.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { given, startServer } from '../lib/server.mjs';
import { openChromium, openFirefox, sdkPage } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { assertFramesArrive, assertTone, eventually, wait } from '../lib/measure.mjs';

const ABSENT_HZ = 1700;
const WINDOW_MS = 6000;
const FPS = 10;
const SIZE = { width: 480, height: 270 };

let server;
let people;
let visitor;

const others = (who) => people.filter((person) => person !== who);

before(async () => {
  server = await startServer();
});
after(() => server?.stop());

const openAll = async (permissionsOfVisitor) => {
  const anna = await openChromium({ name: 'anna', sender: 1, frequencyHz: 500, video: videoClip({ sender: 1, fps: FPS, ...SIZE }), audio: audioClip({ frequencyHz: 500 }) });
  const bert = await openChromium({ name: 'bert', sender: 2, frequencyHz: 800, video: videoClip({ sender: 2, fps: FPS, ...SIZE }), audio: audioClip({ frequencyHz: 800 }) });
  const finn = await openFirefox({ name: 'finn', sender: 3, frequencyHz: 1100, fps: FPS, ...SIZE });
  people = [anna, bert, finn];
  visitor = await anna.another({ name: 'gast', permissions: permissionsOfVisitor });
};

const closeAll = async () => {
  for (const person of [visitor, ...(people ?? [])].reverse()) await person?.close();
};

const everyone = () => [...people, visitor];

// What the browser says of the pictures that it gets.
const received = async (person) => {
  const stats = await person.sdk('stats').catch((error) => [{ error: String(error) }]);
  const keys = ['ssrc', 'mid', 'trackIdentifier', 'packetsReceived', 'packetsLost', 'framesReceived', 'framesDecoded', 'keyFramesDecoded', 'pliCount', 'nackCount', 'frameWidth'];
  return stats.filter((stat) => stat.type === 'inbound-rtp' && stat.kind === 'video').map((stat) => `  gets ${keys.map((key) => `${key} ${stat[key]}`).join(' ')}`).join('\n');
};

const explained = (check) => async () => {
  try {
    await check();
  } catch (error) {
    const beliefs = [];
    for (const person of everyone()) beliefs.push(await person.belief(), await received(person));
    beliefs.push(await fetch(`${server.url}/metrics`).then((response) => response.text()));
    throw new Error(`${error.message}\n${beliefs.join('\n')}`);
  }
};

const seesEveryone = explained(async () => {
  for (const person of everyone()) {
    for (const other of others(person)) {
      await eventually(`${person.name} sees the first frame of ${other.name}`, async () => (await person.frames(other.identity)).some((frame) => frame.id >= 0), { ms: 20_000 });
    }
  }
  await wait(1500);
  const pairs = everyone().flatMap((person) => others(person).map((other) => ({
    who: `${person.name} sees ${other.name}`,
    sent: () => other.sent(),
    painted: () => person.frames(other.identity),
    paints: (since) => person.painted(other.identity, since),
    sender: other.sender,
    limits: { sentMin: 50 },
  })));
  await assertFramesArrive(pairs, { windowMs: WINDOW_MS });
});

const hearsEveryone = explained(async () => {
  const frequencies = [...people.map((other) => other.frequencyHz), ABSENT_HZ];
  const listen = async (person) => {
    for (const other of others(person)) {
      const levels = await eventually(`${person.name} has the sound of ${other.name}`, () => person.hear(other.identity, frequencies));
      console.log(`  ${assertTone(levels, other.frequencyHz, ABSENT_HZ, `${person.name} hears ${other.name}`)}`);
    }
  };
  await Promise.all(everyone().map(listen));
});

describe('through the SDK page', () => {
  before(() => openAll([]));
  after(closeAll);

  test('everyone joins and publishes', async () => {
    const room = roomName('sdk');
    for (const person of everyone()) {
      person.identity = person.name;
      await person.goto(await sdkPage());
      await person.sdk('connect', { url: server.socketUrl, token: await joinToken(server, { room, identity: person.name }) });
    }
    for (const person of people) {
      await person.sdk('publishMicrophone');
      await person.sdk('publishCamera', { fps: FPS, ...SIZE });
    }
  });

  test('everyone sees every frame of everyone else', seesEveryone);
  test('everyone hears everyone else', hearsEveryone);

  test('a text reaches everyone else, both ways', async () => {
    for (const person of everyone()) await person.sdk('sendText', `hello from ${person.name}`);
    for (const person of everyone()) {
      const expected = everyone()
        .filter((other) => other !== person)
        .map((other) => `${other.name}: hello from ${other.name}`)
        .sort();
      const got = () => person.evaluate(() => window.sdk.received.texts.map(({ from, text }) => `${from}: ${text}`).sort());
      await eventually(`${person.name} reads ${expected.join(', ')}`, async () => (await got()).length >= expected.length).catch(() => {});
      assert.deepEqual(await got(), expected, `texts at ${person.name}`);
    }
  });

  test('the visitor who granted nothing sent no address of his own', async () => {
    const pairs = (await visitor.sdk('stats')).filter((stat) => stat.type === 'candidate-pair' && stat.nominated);
    assert.ok(pairs.length > 0, 'the visitor has a nominated candidate pair');
    const candidates = await visitor.evaluate(async () => {
      const out = [];
      for (const transport of [window.__madang.room.engine.pcManager.publisher, window.__madang.room.engine.pcManager.subscriber]) {
        (await transport?.getStats?.())?.forEach((stat) => {
          if (stat.type === 'local-candidate' && stat.candidateType === 'host') out.push(stat.address);
        });
      }
      return out;
    });
    assert.deepEqual(candidates.filter((address) => address && !address.endsWith('.local')), [], 'host candidates of a visitor are mDNS names');
  });
});

// The reference server of the SDKs has no app: with MADANG_URL the app is tested where it is served.
const served = async () => {
  const page = await fetch(`${server.url}/`).then(async (response) => ({ type: response.headers.get('content-type'), text: await response.text() }));
  return /text\/html/.test(page.type ?? '') && page.text.includes('<script');
};

describe('through the app', () => {
  let room;
  before(() => openAll([]));
  after(closeAll);

  test('everyone types a name and is in', async (t) => {
    if (given && !(await served())) return t.skip('this server has no app');
    room = roomName('app');
    for (const person of people) {
      await person.goto(`${server.url}/r/${room}`);
      await person.type('prejoin-name', person.name);
      // Bert is in a hurry, and is to be seen and heard all the same.
      if (person !== people[1]) await eventually(`${person.name} sees himself`, () => person.has('[data-testid="prejoin-cam"][aria-pressed="true"]'), { ms: 15_000 });
      await person.click('prejoin-join');
      await person.waitFor('room');
    }
    await visitor.goto(`${server.url}/`);
    await visitor.type('home-name', visitor.name);
    await visitor.type('home-room', room);
    await visitor.click('home-join');
    await visitor.waitFor('prejoin-help');
    await visitor.click('prejoin-join');
    await visitor.waitFor('room');
    for (const person of everyone()) {
      person.identity = await eventually(`${person.name} has an identity`, () => person.evaluate(() => window.__madang?.room?.localParticipant?.identity));
    }
  });

  test('everyone sees every frame of everyone else', async (t) => (room ? seesEveryone() : t.skip('not in')));
  test('everyone hears everyone else', async (t) => (room ? hearsEveryone() : t.skip('not in')));

  test('a chat message reaches everyone, both ways', async (t) => {
    if (!room) return t.skip('not in');
    for (const person of everyone()) {
      if (!(await person.has('chat-input'))) await person.click('btn-chat');
      await person.type('chat-input', `hello from ${person.name}`);
      await person.click('chat-send');
    }
    const expected = everyone().map((other) => `hello from ${other.name}`);
    for (const person of everyone()) {
      const read = () => person.evaluate(() => [...document.querySelectorAll('[data-testid="chat-message"]')].map((element) => element.textContent));
      const missing = async () => {
        const lines = await read();
        return expected.filter((text) => lines.filter((line) => line.includes(text)).length !== 1);
      };
      await eventually(`${person.name} reads all`, async () => (await missing()).length === 0).catch(() => {});
      assert.deepEqual(await missing(), [], `messages not seen exactly once by ${person.name}, who reads ${JSON.stringify(await read())}`);
    }
  });

  test('nobody was told of a track that he does not have', async (t) => {
    if (!room) return t.skip('not in');
    for (const person of everyone()) assert.deepEqual(person.console.filter((line) => line.includes('unknown track')), [], `the console of ${person.name}`);
  });

  test('leaving by the button takes the tile away from the others', async (t) => {
    if (!room) return t.skip('not in');
    const [anna, bert] = people;
    await bert.click('btn-leave');
    await eventually('bert’s tile goes away', async () => !(await anna.has(`[data-testid="tile"][data-identity="${bert.identity}"]`)));
  });
});
