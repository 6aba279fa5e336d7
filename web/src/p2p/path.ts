/** Which path sound and picture take, from what the connection reports of the pair of candidates in use. */

import type { RawStat } from '../lib/stats';

/** `near`: both ends as they are; `nat`: at least one is reached by another address than its own; `relay`: somebody passes it on. */
export type PathKind = 'near' | 'nat' | 'relay';
export type PathVia = 'udp' | 'tcp' | 'tls';

export interface Path {
  kind: PathKind;
  /** How this end reaches its relay, or else the other end. */
  via: PathVia;
  rtt_ms: number;
}

/** `null`: there is none yet. */
export function pathOf(stats: readonly RawStat[]): Path | null {
  const byId = new Map(stats.map((stat) => [stat.id, stat]));
  const pair = selected(stats, byId);
  const local = byId.get(text(pair, 'localCandidateId'));
  const remote = byId.get(text(pair, 'remoteCandidateId'));
  if (!pair || !local || !remote) return null;
  const types = [text(local, 'candidateType'), text(remote, 'candidateType')];
  const kind: PathKind = types.includes('relay') ? 'relay' : types.every((type) => type === 'host') ? 'near' : 'nat';
  const rtt = pair['currentRoundTripTime'];
  return { kind, via: viaOf(local), rtt_ms: typeof rtt === 'number' && rtt > 0 ? Math.max(1, Math.round(rtt * 1000)) : 0 };
}

function selected(stats: readonly RawStat[], byId: Map<string, RawStat>): RawStat | undefined {
  for (const stat of stats) {
    const pair = stat.type === 'transport' ? byId.get(text(stat, 'selectedCandidatePairId')) : undefined;
    if (pair) return pair;
  }
  // Browsers that report no transports.
  return stats.find((stat) => stat.type === 'candidate-pair' && stat['nominated'] === true && stat['state'] === 'succeeded');
}

function viaOf(local: RawStat): PathVia {
  const relay = text(local, 'relayProtocol');
  if (relay === 'tls' || relay === 'tcp' || relay === 'udp') return relay;
  return text(local, 'protocol') === 'tcp' ? 'tcp' : 'udp';
}

function text(stat: RawStat | undefined, key: string): string {
  const value = stat?.[key];
  return typeof value === 'string' ? value : '';
}
