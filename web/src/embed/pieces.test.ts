/** What is read and written around a session: links, fragments, refusals, notices. */
import { describe, expect, it } from 'vitest';
import { fragment, restarted } from './fragment';
import { iceServers, readLinks } from './links';
import { layersOf, reader } from './notices';
import { afterOf, backOff, outcomeOf, sentenceOf } from './outcome';

const AT = 'https://meet.example.org/whep/yard/1';

describe('links', () => {
  it('several in one header, quoted or not, relative or not', () => {
    const header = '<stun:stun.example.org>; rel="ice-server", <turns:turn.example.org:443?transport=tcp>; rel=ice-server; username="17:a,b"; credential="x\\"y;z"; credential-type="password", </whep/yard/1/sse>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="active,inactive"';
    const links = readLinks(header, AT);
    expect(links.map(({ url }) => url)).toEqual(['stun:stun.example.org', 'turns:turn.example.org:443?transport=tcp', 'https://meet.example.org/whep/yard/1/sse']);
    expect(links[1]?.params).toMatchObject({ username: '17:a,b', credential: 'x"y;z' });
    expect(links[2]?.params.events).toBe('active,inactive');
    expect(iceServers(links)).toEqual([
      { urls: 'stun:stun.example.org', username: undefined, credential: undefined },
      { urls: 'turns:turn.example.org:443?transport=tcp', username: '17:a,b', credential: 'x"y;z' },
    ]);
  });

  it('what a browser would refuse is no relay', () => {
    const header = '<turn:a.example.org>; rel="ice-server", <https://b.example.org>; rel="ice-server", <javascript:0>; rel="ice-server", <stun:c.example.org>; rel="other"';
    expect(iceServers(readLinks(header, AT))).toEqual([]);
  });

  it('nonsense is none, and there is an end to how many', () => {
    for (const header of [null, '', 'rel="ice-server"', '<', '<http://[>; rel=a', '<a>', '<a>; rel', '<a>; rel="']) expect(readLinks(header, AT), String(header)).toEqual([]);
    expect(iceServers(readLinks(Array.from({ length: 100 }, (_, index) => `<stun:s${index}.example.org>; rel="ice-server"`).join(', '), AT))).toHaveLength(8);
    expect(readLinks(`<a>${';a="\\'.repeat(20_000)}`, AT), 'in a moment, or never').toEqual([]);
  });
});

const OFFER = 'v=0\r\ns=-\r\na=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:AAAA\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=ice-ufrag:AAAA\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n';
const ANSWER = 'v=0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:SOLD\r\na=ice-pwd:sssssssssssssssssssss1\r\na=candidate:1 1 udp 1 10.0.0.1 7882 typ host\r\na=end-of-candidates\r\na=sendonly\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=ice-ufrag:SOLD\r\na=ice-pwd:sssssssssssssssssssss1\r\na=sendonly\r\n';

describe('fragments', () => {
  it('candidates go with the section that carries all', () => {
    expect(fragment(OFFER, ['candidate:1 1 udp 2 10.0.0.9 5000 typ host ufrag AAAA'], true)).toBe(
      'a=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:AAAA\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\na=candidate:1 1 udp 2 10.0.0.9 5000 typ host ufrag AAAA\r\na=end-of-candidates\r\n',
    );
  });

  it('a restart changes credentials everywhere and candidates once', () => {
    const piece = 'a=ice-lite\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:SNEW\r\na=ice-pwd:sssssssssssssssssssss2\r\na=candidate:1 1 udp 1 10.0.0.2 7882 typ host\r\na=end-of-candidates\r\n';
    const answer = restarted(ANSWER, piece) ?? '';
    expect(answer).not.toMatch(/SOLD|ssss1|10\.0\.0\.1 |end-of/);
    expect(answer.match(/a=ice-ufrag:SNEW\r\n/g)).toHaveLength(2);
    expect(answer.match(/a=ice-pwd:sssssssssssssssssssss2\r\n/g)).toHaveLength(2);
    expect(answer).toContain('m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.2 7882 typ host\r\na=ice-ufrag:SNEW\r\n');
    expect(answer.match(/a=candidate/g)).toHaveLength(1);
    expect(answer.split('\r\n').filter((line) => line.includes('sendonly'))).toHaveLength(2);
  });

  it('an answer without credentials, or with signs that mean something in a pattern', () => {
    expect(restarted(ANSWER, 'a=ice-ufrag:x\r\n')).toBeNull();
    expect(restarted(ANSWER, '')).toBeNull();
    expect(restarted(ANSWER, "a=ice-ufrag:$&$1\r\na=ice-pwd:$'$`\r\n")).toContain("a=ice-ufrag:$&$1\r\na=ice-pwd:$'$`\r\n");
  });
});

describe('refusals', () => {
  it('each has its meaning, for each side', () => {
    const watch = (status: number, sentence = ''): string => outcomeOf('watch', status, sentence);
    const publish = (status: number, sentence = ''): string => outcomeOf('publish', status, sentence);
    expect([401, 403, 404, 409, 406, 429, 503, 500, 418].map((status) => watch(status))).toEqual(['token', 'not_allowed', 'waiting', 'waiting', 'unsupported', 'again', 'again', 'again', 'other']);
    expect([401, 403, 404, 409, 415].map((status) => publish(status))).toEqual(['token', 'not_allowed', 'missing', 'busy', 'unsupported']);
    expect(watch(404, 'requested room does not exist')).toBe('missing');
    expect(watch(409, 'the members of this room connect to each other, not by way of the server')).toBe('mesh');
  });

  it('when to come back', () => {
    expect([afterOf('5'), afterOf(null), afterOf('soon'), afterOf('86400'), afterOf('-3')].map((ms) => Math.max(0, ms))).toEqual([5_000, 0, 0, 60_000, 0]);
    expect([0, 1, 2, 9].map((attempt) => backOff(attempt, 0.5))).toEqual([1_000, 2_000, 4_000, 30_000]);
    expect(backOff(0, 0)).toBeLessThan(backOff(0, 1));
  });

  it('what the server says, unless it is a page', () => {
    expect(sentenceOf('\n room is full\nand more')).toBe('room is full');
    expect(sentenceOf(' <html><h1>502')).toBe('');
    expect(sentenceOf('x'.repeat(999))).toHaveLength(200);
    expect(sentenceOf('')).toBe('');
  });
});

describe('notices', () => {
  it('events in pieces of any length', () => {
    const stream = 'event: active\r\ndata: {}\r\n\r\n: still here\n\nevent: layers\ndata: {"a":\ndata: 1}\n\ndata: plain\n\n';
    for (const size of [1, 2, 7, 1000]) {
      const heard: string[] = [];
      const parse = reader((event, data) => heard.push(`${event}|${data}`));
      for (let at = 0; at < stream.length; at += size) parse(stream.slice(at, at + size));
      expect(heard, `in pieces of ${size}`).toEqual(['active|{}', 'layers|{"a":\n1}', 'message|plain']);
    }
  });

  it('layers, the largest first; nonsense is none', () => {
    const layers = layersOf(JSON.stringify({ 0: { active: [{ encodingId: 'q', simulcastIdx: 0, width: 320, height: 180 }, { id: 'f', simulcastIdx: 2, width: 1280, height: 720 }, { width: 1 }], inactive: [] } }));
    expect(layers).toEqual([{ mediaId: '0', encodingId: 'f', index: 2, width: 1280, height: 720 }, { mediaId: '0', encodingId: 'q', index: 0, width: 320, height: 180 }]);
    const unknown = layersOf(JSON.stringify({ 0: { active: [{ encodingId: 'q', simulcastIdx: 0 }, { encodingId: 'f', simulcastIdx: 2 }] } }));
    expect(unknown.map(({ encodingId }) => encodingId), 'without sizes').toEqual(['f', 'q']);
    for (const nonsense of ['', 'null', '5', '{"0":null}', '{"0":{"active":5}}', '{"0":{"active":[null]}}']) expect(layersOf(nonsense), nonsense).toEqual([]);
  });
});
