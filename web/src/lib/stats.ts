/** From `RTCPeerConnection.getStats()` to rows a person can read. Rates come from the difference to the sample before. */

/** One entry of a stats report; the browser's own names. */
export type RawStat = { id: string; type: string; timestamp: number } & Record<string, unknown>;

export interface StreamRow {
  id: string;
  direction: 'in' | 'out';
  kind: 'audio' | 'video';
  /** `MediaStreamTrack.id` of the receiver or of the sender's source. */
  trackId: string;
  rid: string;
  codec: string;
  width: number;
  height: number;
  fps: number;
  bitrate_bps: number;
  /** 0…1 over the last interval; for what we send, as the receiver reports it. */
  loss: number;
  jitter_ms: number;
  freezes: number;
  /** Why an encoder sends less than it could: `cpu`, `bandwidth` or empty. */
  limited: string;
}

export interface StatsSample {
  at_ms: number;
  rows: StreamRow[];
  rtt_ms: number;
  sent_bps: number;
  received_bps: number;
  /** Raw counters for the flow watch. */
  received: number;
  answers: number;
  /** Packets went out on some stream during the last interval. */
  sending: boolean;
}

interface Counter {
  bytes: number;
  packets: number;
  lost: number;
  at_ms: number;
}

export class StatsReader {
  #before = new Map<string, Counter>();

  read(at_ms: number, stats: readonly RawStat[]): StatsSample {
    const byId = new Map(stats.map((stat) => [stat.id, stat]));
    const after = new Map<string, Counter>();
    const rows: StreamRow[] = [];
    let sending = false;
    for (const stat of stats) {
      if (stat.type !== 'inbound-rtp' && stat.type !== 'outbound-rtp') continue;
      const row = this.#row(stat, byId, after);
      if (row === null) continue;
      const before = this.#before.get(stat.id);
      if (row.direction === 'out' && before && num(stat, 'packetsSent') > before.packets) sending = true;
      rows.push(row);
    }
    const totals = this.#totals(stats, byId, after);
    this.#before = after;
    return { at_ms, rows, sending, ...totals };
  }

  #row(stat: RawStat, byId: Map<string, RawStat>, after: Map<string, Counter>): StreamRow | null {
    const kind = text(stat, 'kind');
    if (kind !== 'audio' && kind !== 'video') return null;
    const out = stat.type === 'outbound-rtp';
    const remote = byId.get(text(stat, 'remoteId'));
    const source = byId.get(text(stat, 'mediaSourceId'));
    const counter: Counter = {
      bytes: num(stat, out ? 'bytesSent' : 'bytesReceived') + num(stat, out ? 'headerBytesSent' : 'headerBytesReceived'),
      packets: num(stat, out ? 'packetsSent' : 'packetsReceived'),
      lost: out ? num(remote, 'packetsLost') : num(stat, 'packetsLost'),
      at_ms: stat.timestamp,
    };
    after.set(stat.id, counter);
    const before = this.#before.get(stat.id);
    return {
      id: stat.id,
      direction: out ? 'out' : 'in',
      kind,
      trackId: text(stat, 'trackIdentifier') || text(source, 'trackIdentifier'),
      rid: text(stat, 'rid'),
      codec: codecName(byId.get(text(stat, 'codecId'))),
      width: num(stat, 'frameWidth'),
      height: num(stat, 'frameHeight'),
      fps: Math.round(num(stat, 'framesPerSecond')),
      bitrate_bps: rate(before, counter),
      loss: lossOf(before, counter),
      jitter_ms: Math.round(num(out ? remote : stat, 'jitter') * 1000),
      freezes: num(stat, 'freezeCount'),
      limited: limitOf(text(stat, 'qualityLimitationReason')),
    };
  }

  #totals(stats: readonly RawStat[], byId: Map<string, RawStat>, after: Map<string, Counter>) {
    let rtt_ms = 0;
    let received = 0;
    let sent = 0;
    let answers = 0;
    const transports = stats.filter((stat) => stat.type === 'transport');
    for (const transport of transports) {
      const pair = byId.get(text(transport, 'selectedCandidatePairId'));
      received += num(transport, 'bytesReceived') || num(pair, 'bytesReceived');
      sent += num(transport, 'bytesSent') || num(pair, 'bytesSent');
      answers += num(pair, 'responsesReceived');
      rtt_ms = Math.max(rtt_ms, num(pair, 'currentRoundTripTime') * 1000);
    }
    if (transports.length === 0) {
      for (const pair of stats.filter((stat) => stat.type === 'candidate-pair' && stat['nominated'] === true)) {
        received += num(pair, 'bytesReceived');
        sent += num(pair, 'bytesSent');
        answers += num(pair, 'responsesReceived');
        rtt_ms = Math.max(rtt_ms, num(pair, 'currentRoundTripTime') * 1000);
      }
    }
    const at_ms = stats[0]?.timestamp ?? 0;
    const down: Counter = { bytes: received, packets: 0, lost: 0, at_ms };
    const up: Counter = { bytes: sent, packets: 0, lost: 0, at_ms };
    after.set('total/down', down);
    after.set('total/up', up);
    return {
      rtt_ms: Math.round(rtt_ms),
      received,
      answers,
      received_bps: rate(this.#before.get('total/down'), down),
      sent_bps: rate(this.#before.get('total/up'), up),
    };
  }
}

function rate(before: Counter | undefined, now: Counter): number {
  if (!before || now.at_ms <= before.at_ms || now.bytes < before.bytes) return 0;
  return Math.round(((now.bytes - before.bytes) * 8000) / (now.at_ms - before.at_ms));
}

function lossOf(before: Counter | undefined, now: Counter): number {
  if (!before) return 0;
  const lost = Math.max(0, now.lost - before.lost);
  const packets = Math.max(0, now.packets - before.packets);
  return lost === 0 ? 0 : lost / (lost + packets);
}

function codecName(codec: RawStat | undefined): string {
  return text(codec, 'mimeType').split('/')[1] ?? '';
}

function limitOf(reason: string): string {
  return reason === 'cpu' || reason === 'bandwidth' ? reason : '';
}

function num(stat: RawStat | undefined, key: string): number {
  const value = stat?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function text(stat: RawStat | undefined, key: string): string {
  const value = stat?.[key];
  return typeof value === 'string' ? value : '';
}
