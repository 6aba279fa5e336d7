import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Flow } from './flow';
import { Line, type Told } from './line';
import type { Kind } from './outcome';
import { Connection, Endpoint } from './testing';

let endpoint: Endpoint;
let told: Told[] = [];
beforeEach(() => {
  vi.useFakeTimers();
  endpoint = new Endpoint();
  told = [];
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function lineOf(kind: Kind = 'watch', token = ''): Line {
  let flow: Flow | null = null;
  const line: Line = new Line({
    kind,
    endpoint: 'https://host/whep/yard',
    token,
    prepare: () => undefined,
    opened: (pc, _, signal) => {
      flow = new Flow(pc, signal, told.some(({ state }) => state === 'live'), (state) => line.tell(state));
    },
    connected: () => (kind === 'publish' ? line.tell('live') : flow?.connected()),
    told: (now) => told.push(now),
  });
  return line;
}
const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const states = (): string[] => told.map(({ state }) => state);
const last = (): Connection => Connection.all.at(-1) as Connection;
const flows = async (seconds: number): Promise<void> => {
  for (let at = 0; at < seconds * 4; at++) {
    last().packets += 10;
    await pass(250);
  }
};

it('asks, waits, is live, and takes its leave', async () => {
  const line = lineOf('watch', 'secret');
  line.start();
  await pass();
  expect(endpoint.of('POST')).toMatchObject([{ path: '/whep/yard', headers: { authorization: 'Bearer secret', 'content-type': 'application/sdp' } }]);
  last().becomes('connected');
  await pass(3_000);
  expect(states()).toEqual(['connecting', 'waiting']);
  await flows(2);
  expect(states()).toEqual(['connecting', 'waiting', 'live']);
  await pass(10_000);
  expect(states().at(-1), 'a publisher who fell silent is waited for').toBe('waiting');
  line.stop();
  await pass();
  expect(endpoint.sessions.size).toBe(0);
  expect(endpoint.of('DELETE')).toMatchObject([{ path: '/whep/yard/1', headers: { authorization: 'Bearer secret' } }]);
  expect(Connection.open).toHaveLength(0);
  await pass(120_000);
  expect(endpoint.of('POST'), 'who stopped does not come back').toHaveLength(1);
});

it('the relays of the answer are known before candidates are looked for', async () => {
  endpoint.link = '<turn:turn.example.org:7882?transport=tcp>; rel="ice-server"; username="u"; credential="c"';
  lineOf().start();
  await pass();
  expect(last().servers).toEqual([{ urls: 'turn:turn.example.org:7882?transport=tcp', username: 'u', credential: 'c' }]);
  expect(endpoint.of('OPTIONS'), 'nobody is asked twice').toHaveLength(0);
});

it('where the first try fails, relays are asked for', async () => {
  lineOf().start();
  await pass();
  endpoint.link = '<stun:stun.example.org>; rel="ice-server"';
  last().becomes('failed');
  await pass(5_000);
  expect(endpoint.of('OPTIONS')).toHaveLength(1);
  expect(last().servers).toMatchObject([{ urls: 'stun:stun.example.org' }]);
});

it('candidates go in few requests, with the tag of the session', async () => {
  lineOf().start();
  await pass();
  for (const port of [1, 2, 3]) last().onicecandidate?.({ candidate: { candidate: `candidate:${port} 1 udp 1 10.0.0.1 ${port} typ host` } });
  last().onicecandidate?.({ candidate: null });
  await pass(500);
  const [patch, ...others] = endpoint.of('PATCH');
  expect(others).toHaveLength(0);
  expect(patch?.headers).toMatchObject({ 'if-match': '"1-0"', 'content-type': 'application/trickle-ice-sdpfrag' });
  expect(patch?.body.match(/a=candidate/g)).toHaveLength(3);
  expect(patch?.body).toMatch(/a=end-of-candidates\r\n$/);
});

it('another network: the same session goes on', async () => {
  const line = lineOf();
  line.start();
  await pass();
  last().becomes('connected');
  await flows(1);
  line.networkChanged();
  await pass();
  expect(endpoint.of('PATCH')).toMatchObject([{ headers: { 'if-match': '*' } }]);
  expect(endpoint.of('PATCH')[0]?.body).toContain('a=ice-ufrag:MINE1\r\n');
  expect(last().remoteDescription?.sdp).toContain('a=ice-ufrag:HERS1\r\n');
  last().onicecandidate?.({ candidate: { candidate: 'candidate:9 1 udp 1 10.0.0.1 9 typ host' } });
  await pass(500);
  expect(endpoint.of('PATCH')[1]?.headers['if-match'], 'candidates bear the new tag').toBe('"1"');
  await flows(1);
  expect(states()).toEqual(['connecting', 'live', 'reconnecting', 'live']);
  expect(Connection.all).toHaveLength(1);
});

it('a line that breaks is restarted, and made anew where that does not help', async () => {
  lineOf().start();
  await pass();
  last().becomes('connected');
  await flows(1);
  last().becomes('disconnected');
  await pass(1_000);
  expect(endpoint.of('PATCH'), 'a short tremble is none').toHaveLength(0);
  await pass(1_500);
  expect(endpoint.of('PATCH')).toHaveLength(1);
  await pass(20_000);
  expect(endpoint.of('POST').length).toBeGreaterThan(1);
  expect(endpoint.of('DELETE')[0]?.path, 'the old session is not left behind').toBe('/whep/yard/1');
  expect(Connection.open).toHaveLength(1);
});

it('a server that forgot the session is asked for another', async () => {
  lineOf().start();
  await pass();
  last().becomes('connected');
  endpoint.sessions.clear();
  last().becomes('failed');
  await pass(2_000);
  expect(endpoint.of('POST')).toHaveLength(2);
  expect(Connection.open).toHaveLength(1);
});

it('no server: again and again, ever more slowly, and at once when the network is back', async () => {
  endpoint.refuse = () => {
    throw new TypeError('Failed to fetch');
  };
  const line = lineOf();
  line.start();
  await pass(100_000);
  const tries = endpoint.of('POST').length;
  expect(tries).toBeGreaterThan(5);
  expect(tries).toBeLessThan(12);
  expect(states()).toEqual(['connecting', 'reconnecting']);
  expect(Connection.open.length).toBeLessThanOrEqual(1);
  endpoint.refuse = null;
  line.networkChanged();
  await pass();
  expect(endpoint.of('POST')).toHaveLength(tries + 1);
  expect(endpoint.sessions.size).toBe(1);
});

it('a refusal is told with its reason, and nothing more is tried', async () => {
  endpoint.refuse = () => new Response('invalid token: expired\n', { status: 401 });
  lineOf().start();
  await pass(60_000);
  expect(told.at(-1)).toEqual({ state: 'refused', reason: 'token', sentence: 'invalid token: expired' });
  expect(endpoint.of('POST')).toHaveLength(1);
  expect(Connection.open).toHaveLength(0);
});

it('a server that asks to come back later is obeyed', async () => {
  endpoint.refuse = () => new Response('server is full', { status: 503, headers: { 'retry-after': '20' } });
  lineOf().start();
  await pass(19_000);
  expect(endpoint.of('POST')).toHaveLength(1);
  endpoint.refuse = null;
  await pass(2_000);
  expect(endpoint.sessions.size).toBe(1);
});

it('a server that knows no broadcast yet: who came early sees it begin soon', async () => {
  endpoint.refuse = () => new Response('no stream is available', { status: 404 });
  lineOf().start();
  await pass(60_000);
  expect(states()).toEqual(['connecting', 'waiting']);
  endpoint.refuse = null;
  await pass(5_500);
  expect(endpoint.sessions.size).toBe(1);
});

it('who leaves while the server thinks leaves nothing behind', async () => {
  let answer = (): void => undefined;
  endpoint.hold = new Promise((done) => {
    answer = done;
  });
  const line = lineOf();
  line.start();
  await pass();
  line.stop();
  expect(Connection.open).toHaveLength(0);
  answer();
  await pass();
  expect(endpoint.of('DELETE')).toHaveLength(1);
  expect(endpoint.sessions.size).toBe(0);
});

it('starting over and over leaves one session and one connection', async () => {
  const line = lineOf();
  for (let time = 0; time < 20; time++) {
    line.start();
    await pass(time % 3 === 0 ? 0 : 50);
  }
  await pass(50);
  expect(endpoint.sessions.size).toBe(1);
  expect(Connection.open).toHaveLength(1);
  line.stop();
  await pass();
  expect(endpoint.sessions.size).toBe(0);
});

it('a publisher is live when there is a way, and is told of whom is there already', async () => {
  const line = lineOf('publish');
  line.start();
  await pass();
  last().becomes('connected');
  expect(states()).toEqual(['connecting', 'live']);
  line.stop();
  endpoint.refuse = () => new Response('taken', { status: 409 });
  line.start();
  await pass();
  expect(told.at(-1)).toMatchObject({ state: 'refused', reason: 'busy' });
});

it('what the server says of the publisher holds at once', async () => {
  vi.stubGlobal('RTCPeerConnection', Connection);
  const pc = new Connection({});
  const over = new AbortController();
  const seen: string[] = [];
  const flow = new Flow(pc as unknown as RTCPeerConnection, over.signal, false, (state) => seen.at(-1) === state || seen.push(state));
  pc.becomes('connected');
  flow.connected();
  const come = async (polls: number): Promise<void> => {
    for (let at = 0; at < polls; at++) {
      pc.packets += 5;
      await pass(500);
    }
  };
  await come(3);
  flow.notice(false);
  await come(2);
  expect(seen, 'what was on its way is no beginning').toEqual(['live', 'ended']);
  await pass(10_000);
  expect(seen).toEqual(['live', 'ended']);
  flow.notice(true);
  await come(1);
  expect(seen).toEqual(['live', 'ended', 'live']);
  over.abort();
  await come(5);
  pc.packets = 0;
  expect(vi.getTimerCount()).toBe(0);
});
