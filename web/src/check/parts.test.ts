import { describe, expect, it } from 'vitest';
import type { RawStat } from '../lib/stats';
import { browserOf } from './browser';
import { reportOf } from './report';
import { addressesIn, onlyOver } from './sdp';
import type { Seen } from './seen';
import { addressOf, iceServers, NOTHING, offeredBy } from './servers';
import { bestRate, isRising, lossIn, lossOut, median, sampleOf } from './stats';
import { en } from './words-en';
import { ko } from './words-ko';

describe('browserOf', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', 'Chrome 140.0'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.0 Safari/537.36', 'Chrome 80.0 old'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0', 'Edge 140.0'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox 140.0'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Safari/605.1.15', 'Safari 16.3 old'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1', 'Safari 17.5'],
    ['Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36', 'Samsung Internet 23.0'],
    ['curl/8.5.0', 'none'],
  ])('%s', (userAgent, expected) => {
    const browser = browserOf(userAgent);
    expect(browser ? `${browser.name} ${browser.version}${browser.isOld ? ' old' : ''}` : 'none').toBe(expected);
  });
});

describe('what the server offers', () => {
  const answer = { iceServers: [{ urls: ['turn:192.0.2.1:7882?transport=udp', 'turn:[2001:db8::1]:7882', 'turn:192.0.2.1:7882?transport=tcp', 'turns:meet.example.org:443?transport=tcp'], username: 'u', credential: 'c' }], ttl_s: 3600, media_udp_port: 7882 };

  it('sorts relays by kind, and asks a relay over UDP for the own address where no server for that is named', () => {
    const offered = offeredBy(answer);
    expect(Object.entries(offered.relays).map(([way, relay]) => [way, relay.urls.length, relay.credential])).toEqual([['turn_udp', 2, 'c'], ['turn_tcp', 1, 'c'], ['turn_tls', 1, 'c']]);
    expect(offered.stun).toEqual(['stun:192.0.2.1:7882', 'stun:[2001:db8::1]:7882']);
    expect(iceServers(offered).flatMap(({ urls }) => urls)).toEqual(answer.iceServers[0]?.urls.slice(2));
  });

  it('uses over UDP what has another port than media, and nothing there when that is not known', () => {
    const urls = ['turn:192.0.2.1:3478?transport=udp', 'turns:192.0.2.1:443?transport=tcp', 'stun:192.0.2.1:3478'];
    const used = (told: object) => iceServers(offeredBy({ iceServers: [{ urls, username: 'u', credential: 'c' }], ...told })).flatMap((server) => server.urls);
    expect(used({ media_udp_port: 7882 })).toEqual([urls[2], urls[0], urls[1]]);
    expect(used({ media_udp_port: 3478 })).toEqual([urls[1]]);
    expect(used({})).toEqual([urls[1]]);
  });

  it('takes one that is named, and a single URL', () => {
    const offered = offeredBy({ iceServers: [{ urls: 'stun:192.0.2.9' }, { urls: 'turn:192.0.2.9' }] });
    expect(offered.stun).toEqual(['stun:192.0.2.9']);
    expect(addressOf('turns:meet.example.org:443?transport=tcp')).toBe('meet.example.org:443');
  });

  it('makes nothing of what is none', () => {
    for (const wrong of [null, [], 'x', {}, { iceServers: 5 }, { iceServers: [null, { urls: [5, 'http://x'] }] }]) expect(offeredBy(wrong)).toEqual(NOTHING);
  });
});

it('keeps the addresses of one protocol', () => {
  const sdp = 'v=0\r\na=candidate:1 1 udp 1 192.0.2.1 7882 typ host\r\na=candidate:2 1 TCP 1 2001:db8::1 7881 typ host tcptype passive\r\na=candidate:1 1 udp 1 192.0.2.1 7882 typ host\r\na=end-of-candidates\r\n';
  expect(addressesIn(sdp)).toEqual([{ protocol: 'udp', address: '192.0.2.1:7882' }, { protocol: 'tcp', address: '[2001:db8::1]:7881' }]);
  expect(addressesIn(onlyOver(sdp, 'tcp')).map(({ protocol }) => protocol)).toEqual(['tcp']);
  expect(onlyOver(sdp, 'udp')).toBe(sdp.replace(/a=candidate:2.*\r\n/, ''));
});

describe('figures', () => {
  const stats = (otherwise: Record<string, unknown>): RawStat[] => [
    { id: 'T', type: 'transport', timestamp: 1, selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', timestamp: 1, localCandidateId: 'L', remoteCandidateId: 'R' },
    { id: 'L', type: 'local-candidate', timestamp: 1, candidateType: 'host', protocol: 'udp', ...otherwise },
    { id: 'R', type: 'remote-candidate', timestamp: 1, address: '2001:db8::1', port: 7882 },
    { id: 'I1', type: 'inbound-rtp', timestamp: 9, kind: 'video', packetsReceived: 90, packetsLost: 10, jitter: 0.004, framesDecoded: 30, bytesReceived: 1000, headerBytesReceived: 100 },
    { id: 'I2', type: 'inbound-rtp', timestamp: 9, kind: 'audio', packetsReceived: 10, packetsLost: 0, jitter: 0.007 },
  ];

  it('reads which way the packets take', () => {
    expect(sampleOf(stats({}))).toMatchObject({ path: { relayed: false, protocol: 'udp' }, server: '[2001:db8::1]:7882' });
    const relayed = sampleOf(stats({ candidateType: 'relay', protocol: 'udp', relayProtocol: 'tls', url: 'turns:meet.example.org:443?transport=tcp' }));
    expect(relayed).toMatchObject({ path: { relayed: true, protocol: 'tls' }, server: 'meet.example.org:443' });
    const firefox = stats({}).filter(({ type }) => type !== 'transport').map((stat) => (stat.id === 'P' ? { ...stat, nominated: true, state: 'succeeded' } : stat));
    expect(sampleOf(firefox).path).toEqual({ relayed: false, protocol: 'udp' });
    expect(sampleOf([]).path).toBeNull();
  });

  it('sums up what arrives, and tells loss where it is told', () => {
    const sample = sampleOf(stats({}));
    expect(sample).toMatchObject({ received: 100, lost: 10, jitter_ms: 7, frames_in: 30, bytes_in: 1100 });
    expect(lossIn(sampleOf([]), sample)).toBeCloseTo(10 / 110);
    expect(lossIn(sample, sample)).toBeNull();
    const out = (packetsSent: number, packetsLost?: number) =>
      sampleOf([{ id: 'O', type: 'outbound-rtp', timestamp: 1, packetsSent, qualityLimitationReason: 'cpu' }, ...(packetsLost === undefined ? [] : [{ id: 'M', type: 'remote-inbound-rtp', timestamp: 1, packetsLost }])]);
    expect(lossOut(out(100, 5), out(300, 25))).toBeCloseTo(0.1);
    expect(lossOut(out(100), out(300))).toBeNull();
    expect(lossOut(out(0), out(100, 500))).toBe(1);
    expect(out(1).limited).toBe('cpu');
  });

  it('takes the best stretch of a rate that grows', () => {
    const points = [0, 1, 2, 3, 4].map((second) => ({ at_ms: second * 1000, bytes: second * second * 1000 }));
    expect(bestRate(points, 2000)).toBe(48_000);
    expect(bestRate(points.slice(0, 2), 2000)).toBe(0);
    const steady = points.map(({ at_ms }) => ({ at_ms, bytes: at_ms }));
    expect([isRising(points, 2000), isRising(steady, 2000), isRising(points.slice(0, 3), 2000), isRising([], 2000)]).toEqual([true, false, false, false]);
    expect([median([5, 1, 3]), median([])]).toEqual([3, null]);
  });
});

describe('words', () => {
  it('every code has its reason in both languages, and a remedy in both or in none', () => {
    expect(Object.keys(ko.told).sort()).toEqual(Object.keys(en.told).sort());
    for (const code of Object.keys(en.told) as Array<keyof typeof en.told>) {
      const [english, korean] = [en.told[code], ko.told[code]];
      for (const { reason } of [english, korean]) expect(reason('A', 'B', 'C', 'D', 'E').length, code).toBeGreaterThan(2);
      expect(korean.remedy === undefined, code).toBe(english.remedy === undefined);
      expect(reasonless(english.reason('A', 'B', 'C', 'D', 'E')), code).toBe(false);
    }
  });

  const reasonless = (text: string): boolean => /undefined|NaN|\$\{/.test(text);
});

it('the report says what was seen, and has no place for a secret', () => {
  const seen = {
    page: { secure: true, webrtc: true, browser: null },
    devices: { camera: { count: 0, permission: 'unknown', state: 'idle', width: 0, height: 0 }, microphone: { count: 0, permission: 'unknown', state: 'idle', heard: false, silent: false }, speaker: { count: 0, heard: null } },
    http: { answered: false, rtt_ms: null },
    access: null,
    socket: null,
    stun: null,
    ways: {},
    call: null,
    bandwidth: null,
  } satisfies Seen;
  const report = JSON.parse(reportOf(seen, { page: 'https://meet.example.org/check', version: '1.0.0', language: 'ko', userAgent: 'x', at: new Date(0) }));
  expect(Object.keys(report)).toEqual(['report', 'at', 'page', 'version', 'language', 'userAgent', 'summary', 'findings', 'seen']);
  expect(report.summary).toEqual({ code: 'fault', first: 'http' });
  expect(report.findings).toContainEqual({ check: 'http', verdict: 'fault', code: 'http_silent', values: [] });
  expect(report.at).toBe('1970-01-01T00:00:00.000Z');
});
