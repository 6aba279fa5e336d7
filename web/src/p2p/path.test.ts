import { expect, it } from 'vitest';
import type { RawStat } from '../lib/stats';
import { type Path, pathOf } from './path';

type Candidate = { candidateType: string; protocol?: string; relayProtocol?: string };

const report = (local: Candidate, remote: Candidate, more: RawStat[] = []): RawStat[] => [
  { id: 'p0', type: 'candidate-pair', timestamp: 0, nominated: false, localCandidateId: 'r', remoteCandidateId: 'r' },
  { id: 'p1', type: 'candidate-pair', timestamp: 0, nominated: true, state: 'succeeded', localCandidateId: 'l', remoteCandidateId: 'r', currentRoundTripTime: 0.0124 },
  { id: 'l', type: 'local-candidate', timestamp: 0, ...local },
  { id: 'r', type: 'remote-candidate', timestamp: 0, ...remote },
  ...more,
];
const check = (local: Candidate, remote: Candidate, expected: Omit<Path, 'rtt_ms'>): void => {
  const transport: RawStat = { id: 't', type: 'transport', timestamp: 0, selectedCandidatePairId: 'p1' };
  // With and without transports in the report.
  for (const more of [[transport], []]) expect(pathOf(report(local, remote, more))).toEqual({ ...expected, rtt_ms: 12 });
};

it('tells one network, translated addresses and relays apart', () => {
  const host = { candidateType: 'host', protocol: 'udp' };
  check(host, host, { kind: 'near', via: 'udp' });
  check(host, { candidateType: 'srflx' }, { kind: 'nat', via: 'udp' });
  check({ candidateType: 'prflx', protocol: 'udp' }, host, { kind: 'nat', via: 'udp' });
  check({ candidateType: 'host', protocol: 'tcp' }, host, { kind: 'near', via: 'tcp' });
  check({ candidateType: 'relay', protocol: 'udp', relayProtocol: 'tls' }, host, { kind: 'relay', via: 'tls' });
  check({ candidateType: 'relay', protocol: 'udp', relayProtocol: 'tcp' }, { candidateType: 'relay' }, { kind: 'relay', via: 'tcp' });
  // The other's relay: this end reaches it by itself.
  check(host, { candidateType: 'relay' }, { kind: 'relay', via: 'udp' });
});

it('there is none before a pair is in use', () => {
  expect(pathOf([])).toBeNull();
  expect(pathOf([{ id: 't', type: 'transport', timestamp: 0 }, { id: 'p', type: 'candidate-pair', timestamp: 0, nominated: false }])).toBeNull();
  expect(pathOf([{ id: 'p', type: 'candidate-pair', timestamp: 0, nominated: true, state: 'succeeded', localCandidateId: 'x' }])).toBeNull();
});
