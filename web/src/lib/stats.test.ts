import { describe, expect, it } from 'vitest';
import { type RawStat, StatsReader } from './stats';

function report(at: number, bytes: number, packets: number, lost: number): RawStat[] {
  return [
    { id: 'T', type: 'transport', timestamp: at, bytesReceived: bytes * 2, bytesSent: bytes, selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', timestamp: at, currentRoundTripTime: 0.042, responsesReceived: 3 },
    { id: 'C', type: 'codec', timestamp: at, mimeType: 'video/VP8' },
    { id: 'S', type: 'media-source', timestamp: at, trackIdentifier: 'local-cam' },
    { id: 'R', type: 'remote-inbound-rtp', timestamp: at, packetsLost: lost, jitter: 0.004 },
    {
      id: 'O', type: 'outbound-rtp', timestamp: at, kind: 'video', rid: 'h', bytesSent: bytes, packetsSent: packets, codecId: 'C', mediaSourceId: 'S', remoteId: 'R',
      frameWidth: 640, frameHeight: 360, framesPerSecond: 29.7, qualityLimitationReason: 'cpu',
    },
    { id: 'I', type: 'inbound-rtp', timestamp: at, kind: 'video', trackIdentifier: 'remote-cam', bytesReceived: bytes, packetsReceived: packets, packetsLost: lost, jitter: 0.011, codecId: 'C' },
  ];
}

describe('StatsReader', () => {
  it('derives rates and loss from two samples', () => {
    const reader = new StatsReader();
    reader.read(0, report(1000, 10_000, 100, 0));
    const sample = reader.read(1000, report(2000, 35_000, 190, 10));
    const out = sample.rows.find((row) => row.direction === 'out');
    expect(out).toMatchObject({ trackId: 'local-cam', rid: 'h', codec: 'VP8', width: 640, fps: 30, bitrate_bps: 200_000, limited: 'cpu', jitter_ms: 4 });
    expect(out?.loss).toBeCloseTo(0.1);
    expect(sample).toMatchObject({ rtt_ms: 42, received: 70_000, answers: 3, received_bps: 400_000, sent_bps: 200_000, sending: true });
  });

  it('has no rates in the first sample and none after a counter went back', () => {
    const reader = new StatsReader();
    expect(reader.read(0, report(1000, 10_000, 100, 0)).rows.every((row) => row.bitrate_bps === 0)).toBe(true);
    const restarted = reader.read(1000, report(2000, 10, 1, 0));
    expect(restarted.rows.every((row) => row.bitrate_bps === 0)).toBe(true);
    expect(restarted.sending).toBe(false);
  });

  it('falls back to nominated pairs where a browser reports no transport', () => {
    const reader = new StatsReader();
    const sample = reader.read(0, [
      { id: 'P', type: 'candidate-pair', timestamp: 1, nominated: true, bytesReceived: 7, responsesReceived: 2 },
      { id: 'Q', type: 'candidate-pair', timestamp: 1, nominated: false, bytesReceived: 900 },
    ]);
    expect(sample).toMatchObject({ received: 7, answers: 2 });
  });
});
