import { expect, it } from 'vitest';
import { readWays } from './ways';

const relay = { urls: ['turn:203.0.113.1:7882?transport=udp'], username: '1:PA_1', credential: 'secret' };
const said = (ways: object): string => JSON.stringify(ways);

it('reads what the server tells', () => {
  expect(readWays(said({ iceServers: [relay], iceTransportPolicy: 'relay', ttl_s: 3600, server: { token: 'T' } }))).toEqual({ iceServers: [relay], policy: 'relay', token: 'T' });
  expect(readWays(said({ iceServers: [], iceTransportPolicy: 'all', ttl_s: 3600 }))).toEqual({ iceServers: [], policy: 'all', token: null });
});

it('leaves out what a browser would refuse as a whole', () => {
  const odd = [null, {}, { ...relay, urls: ['http://203.0.113.1'] }, { ...relay, urls: 'turn:203.0.113.1' }, { urls: relay.urls }];
  expect(readWays(said({ iceServers: [...odd, { ...relay, urls: [5, ...relay.urls] }], iceTransportPolicy: 'none', server: { token: 5 } }))).toEqual({ iceServers: [relay], policy: 'all', token: null });
});

it('what cannot be read is as if not said', () => {
  for (const text of [null, '', '{', '[]', '5', 'null', '{"iceServers":{}}']) expect(readWays(text)).toBeNull();
});
