// The calls that are made in every cell, as people make them: each brings two to each other and tells when each had the other's first
// picture, and by which way.
import { ProcessPeer } from '../lib/peers.mjs';
import { roomName, joinToken } from '../lib/tokens.mjs';
import { wait } from '../lib/measure.mjs';
import { DOMAIN } from './network.mjs';

const PAGE = `https://${DOMAIN}`;
const POLL_MS = 50;
// So long they look for a better way than the one that brought the first picture.
const SETTLE_MS = 3000;

// One way in words. `server`: the addresses at which media of the server is; whoever sends there has no other browser at the far end.
const wayOf = ({ local, remote }, server) => {
  const isRelayed = local.type === 'relay';
  return {
    way: isRelayed ? `turn ${local.relay}` : remote.type === 'relay' ? 'turn udp' : local.protocol,
    pair: `${local.type}–${remote.type}`,
    isByServer: server.includes(remote.address),
  };
};

const until = async (deadline, check) => {
  for (;;) {
    const value = await check();
    if (value || Date.now() > deadline) return value;
    await wait(POLL_MS);
  }
};

// Comes in: presses the button when the page is ready for it, which is when the call began for this one. What the page says instead of
// letting one in is in `said`.
const come = async (person, limitMs) => {
  await person.waitFor('prejoin-join');
  await person.page.waitForFunction(() => document.querySelector('[data-testid="prejoin-mic"]')?.disabled === false);
  const began = Date.now();
  await person.click('prejoin-join');
  const said = await until(began + limitMs, () =>
    person.evaluate(() => {
      if (document.querySelector('[data-testid="room"], [data-testid="counsel"]')) return 'in';
      return document.querySelector('[data-testid="error"]')?.dataset.code;
    }),
  );
  return { began, said: said ?? 'nothing' };
};

// Two browsers at two links of the app. The second one's coming is the beginning.
const byPages = async ({ browsers, links, limitMs, mediaAddresses }) => {
  const people = [];
  const sides = browsers.map(({ sender }, index) => ({ name: browsers[index].name, wanted: browsers[1 - index].sender, sender }));
  try {
    for (const [index, browser] of browsers.entries()) {
      const person = await browser.another({ name: browser.name });
      people.push(person);
      await person.goto(links[index]);
    }
    const { said } = await come(people[0], limitMs);
    if (said !== 'in') return sides.map(({ name }) => ({ name, ms: null, said }));
    const { began } = await come(people[1], limitMs);
    const got = async (index) => (await people[index].evaluate(() => window.__paths.first)).find(({ sender }) => sender === sides[index].wanted);
    const isConnected = await until(began + limitMs, async () => (await got(0)) && (await got(1)));
    const atFirst = await Promise.all(people.map((person) => person.evaluate(() => window.__paths.paths())));
    if (isConnected) await wait(SETTLE_MS);
    const results = [];
    for (const [index, side] of sides.entries()) {
      const first = await got(index);
      const paths = await people[index].evaluate(() => window.__paths.paths());
      const states = await people[index].evaluate(() => window.__paths.states());
      const of = (found) => first && found.find(({ connection }) => connection === first.connection);
      const way = of(paths) ? wayOf(of(paths), mediaAddresses) : {};
      const firstWay = of(atFirst[index]) && wayOf(of(atFirst[index]), mediaAddresses).way;
      results.push({ name: side.name, ms: first ? Math.max(0, Math.round(first.t - began)) : null, ...way, firstWay, states });
    }
    return results;
  } finally {
    for (const person of people) await person.close();
  }
};

const room = {
  name: 'room',
  what: 'two Chromium in a room of the app, by way of the server',
  between: 'the server',
  run: async ({ server, browsers, ...rest }) => {
    const name = roomName('nat');
    const links = await Promise.all(browsers.map(async (browser) => `${PAGE}/r/${name}#token=${await joinToken(server, { room: name, identity: browser.name })}`));
    return byPages({ browsers, links, ...rest });
  },
};

const pair = {
  name: '1:1',
  what: 'two Chromium at the counselling page of the app, connected to each other',
  between: 'each other',
  run: async ({ server, browsers, ...rest }) => {
    const name = roomName('nat');
    const roles = ['expert', 'member'];
    const token = (role, identity) => joinToken(server, { room: name, identity, attributes: { role, nick: identity } });
    const links = await Promise.all(browsers.map(async (browser, index) => `${PAGE}/c/${name}?role=${roles[index]}#token=${await token(roles[index], browser.name)}`));
    return byPages({ browsers, links, ...rest });
  },
};

const programs = {
  name: 'aiortc',
  what: 'two programs on aiortc at the door for signalling between peers, connected to each other',
  between: 'each other',
  run: async ({ network, server, limitMs }) => {
    const name = roomName('nat');
    const traits = (place) => ({ name: place, within: network.within(place), env: { SSL_CERT_FILE: server.certificate } });
    const people = ['alice', 'bob'].map((place) => new ProcessPeer('mesh', traits(place)));
    try {
      let began;
      for (const [index, person] of people.entries()) {
        await person.ready;
        began = Date.now();
        const camera = { sender: 80 + index, width: 320, height: 180, fps: 10 };
        await person.call('connect', { url: PAGE, token: await joinToken(server, { room: name, identity: person.name }), peerId: person.name, camera, namespace: '/signal', room: name, ice: '1' });
      }
      const got = async (person) => (await person.call('frames', {})).find(({ id }) => id >= 0);
      await until(began + limitMs, async () => (await got(people[0])) && (await got(people[1])));
      const results = [];
      for (const [index, person] of people.entries()) {
        const first = await got(person);
        const path = first && (await person.call('path', { name: people[1 - index].name }));
        const way = path && (path.relay ? `turn ${path.relay.tls ? 'tls' : path.relay.protocol}` : path.remote === 'relay' ? 'turn udp' : 'udp');
        const { errors } = await person.received();
        results.push({ name: person.name, ms: first ? Math.max(0, Math.round(first.t - began)) : null, ...(path ? { way, pair: `${path.local}–${path.remote}`, isByServer: false } : {}), states: errors });
      }
      return results;
    } finally {
      for (const person of people) await person.close();
    }
  },
};

export const CALLS = [room, pair, programs];
