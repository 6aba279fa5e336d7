/** From `RTCPeerConnection.getStats()` to the few figures of the check. */

import type { RawStat } from '../lib/stats';
import type { Path } from './seen';
import { addressOf } from './servers';

export interface Sample {
  at_ms: number;
  path: Path | null;
  /** The other end of it, or the relay. */
  server: string;
  /** Of what arrives here. */
  received: number;
  lost: number;
  bytes_in: number;
  jitter_ms: number;
  frames_in: number;
  /** Of what is sent from here; what was lost of it, the other side says. */
  sent: number;
  lost_out: number | null;
  bytes_out: number;
  frames_out: number;
  limited: '' | 'cpu' | 'bandwidth';
}

export function sampleOf(stats: readonly RawStat[]): Sample {
  const byId = new Map(stats.map((stat) => [stat.id, stat]));
  const sample: Sample = { at_ms: 0, ...wayIn(stats, byId), received: 0, lost: 0, bytes_in: 0, jitter_ms: 0, frames_in: 0, sent: 0, lost_out: null, bytes_out: 0, frames_out: 0, limited: '' };
  for (const stat of stats) {
    if (stat.type === 'inbound-rtp') {
      sample.at_ms = stat.timestamp;
      sample.received += num(stat, 'packetsReceived');
      sample.lost += num(stat, 'packetsLost');
      sample.bytes_in += num(stat, 'bytesReceived') + num(stat, 'headerBytesReceived');
      sample.jitter_ms = Math.max(sample.jitter_ms, num(stat, 'jitter') * 1000);
      sample.frames_in += num(stat, 'framesDecoded');
    } else if (stat.type === 'outbound-rtp') {
      sample.at_ms = stat.timestamp;
      sample.sent += num(stat, 'packetsSent');
      sample.bytes_out += num(stat, 'bytesSent') + num(stat, 'headerBytesSent');
      sample.frames_out += num(stat, 'framesSent');
      const reason = stat['qualityLimitationReason'];
      if (reason === 'cpu' || reason === 'bandwidth') sample.limited = reason;
    } else if (stat.type === 'remote-inbound-rtp') {
      sample.lost_out = (sample.lost_out ?? 0) + num(stat, 'packetsLost');
    }
  }
  return sample;
}

export function lossIn(before: Sample, after: Sample): number | null {
  const [lost, received] = [Math.max(0, after.lost - before.lost), after.received - before.received];
  return lost + received > 0 ? lost / (lost + received) : null;
}

/** What was reported lost may have been sent before: it is a share all the same, and never more than all. */
export function lossOut(before: Sample, after: Sample): number | null {
  const sent = after.sent - before.sent;
  if (after.lost_out === null || sent <= 0) return null;
  return Math.min(1, Math.max(0, after.lost_out - (before.lost_out ?? 0)) / sent);
}

/** The highest mean rate over any stretch of at least this length: a sender begins slowly, and the mean of all would say less than the line can do. */
export function bestRate(points: ReadonlyArray<{ at_ms: number; bytes: number }>, span_ms: number): number {
  let best = 0;
  for (const [index, first] of points.entries()) {
    const last = points.slice(index + 1).find((point) => point.at_ms - first.at_ms >= span_ms);
    if (last) best = Math.max(best, ((last.bytes - first.bytes) * 8000) / (last.at_ms - first.at_ms));
  }
  return Math.round(best);
}

/** Whether the rate still grew at the end: a browser that feels its way up was stopped by the clock, not by the line. */
export function isRising(points: ReadonlyArray<{ at_ms: number; bytes: number }>, span_ms: number): boolean {
  const last = points.at(-1);
  if (!last) return false;
  const middle = points.findLast((point) => last.at_ms - point.at_ms >= span_ms);
  const first = middle && points.findLast((point) => middle.at_ms - point.at_ms >= span_ms);
  if (!middle || !first) return false;
  const rate = (from: typeof last, to: typeof last): number => (to.bytes - from.bytes) / (to.at_ms - from.at_ms);
  return rate(middle, last) > rate(first, middle) * 1.1;
}

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

function wayIn(stats: readonly RawStat[], byId: Map<string, RawStat>): { path: Path | null; server: string } {
  const named = stats.filter(({ type }) => type === 'transport').map((stat) => byId.get(text(stat, 'selectedCandidatePairId')));
  const pair = named.find(Boolean) ?? stats.find((stat) => stat.type === 'candidate-pair' && stat['nominated'] === true && stat['state'] === 'succeeded');
  const local = byId.get(text(pair, 'localCandidateId'));
  if (!local) return { path: null, server: '' };
  const remote = byId.get(text(pair, 'remoteCandidateId'));
  const relayed = local['candidateType'] === 'relay';
  const protocol = text(local, relayed ? 'relayProtocol' : 'protocol').toLowerCase();
  const [host, port] = [text(remote, 'address') || text(remote, 'ip'), remote?.['port']];
  const direct = host === '' ? '' : `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
  return { path: { relayed, protocol: protocol === 'tcp' || protocol === 'tls' ? protocol : 'udp' }, server: relayed ? addressOf(text(local, 'url')) : direct };
}

function num(stat: RawStat, key: string): number {
  const value = stat[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function text(stat: RawStat | undefined, key: string): string {
  const value = stat?.[key];
  return typeof value === 'string' ? value : '';
}
