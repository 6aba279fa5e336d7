/** Once a second: what the peer connections report, for the statistics window and for the banner. */

import { signal } from '@preact/signals';
import { ConnectionState, type Room, RoomEvent, Track } from 'livekit-client';
import { FlowWatch, isStalled } from '../lib/flow';
import { type RawStat, type StatsSample, StatsReader } from '../lib/stats';
import { connections } from './connections';

export type Trouble = 'offline' | 'reconnecting' | 'stalled' | null;

const EVERY_MS = 1_000;
/** A report of the last two minutes: enough to see what led to a trouble, little to send. */
const HISTORY_MAX = 120;

export class Observer {
  readonly sample = signal<StatsSample | null>(null);
  readonly trouble = signal<Trouble>(null);
  readonly history: StatsSample[] = [];
  readonly #reader = new StatsReader();
  readonly #flow = new FlowWatch();
  #timer: ReturnType<typeof setInterval> | null = null;
  #silent_ms = 0;

  constructor(readonly room: Room) {
    room.on(RoomEvent.ConnectionStateChanged, this.#judge);
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#poll(), EVERY_MS);
    addEventListener('online', this.#judge);
    addEventListener('offline', this.#judge);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    removeEventListener('online', this.#judge);
    removeEventListener('offline', this.#judge);
  }

  async #poll(): Promise<void> {
    const at_ms = performance.now();
    const stats: RawStat[] = [];
    for (const [index, connection] of connections(this.room).entries()) {
      const report = await connection.getStats().catch(() => null);
      // Two connections number their entries alike.
      report?.forEach((stat: RawStat) => stats.push(index === 0 ? stat : prefixed(stat, `${index}/`)));
    }
    if (this.#timer === null) return;
    const sample = this.#reader.read(at_ms, stats);
    this.#silent_ms = this.#flow.push({ at_ms, received: sample.received, answers: sample.answers, expected: this.#expects(sample) });
    this.sample.value = sample;
    this.history.push(sample);
    if (this.history.length > HISTORY_MAX) this.history.shift();
    this.#judge();
  }

  readonly #judge = (): void => {
    const state = this.room.state;
    if (state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting) {
      this.trouble.value = navigator.onLine ? 'reconnecting' : 'offline';
    } else if (isStalled(this.#silent_ms)) {
      this.trouble.value = navigator.onLine ? 'stalled' : 'offline';
    } else this.trouble.value = null;
  };

  /**
   * What we send brings feedback, what others send arrives. A sender falls silent when the path breaks, so a silence that has begun is
   * measured on by what is switched on.
   */
  #expects(sample: StatsSample): boolean {
    if (sample.sending || this.#somebodySends()) return true;
    return this.#silent_ms > 0 && [...this.room.localParticipant.trackPublications.values()].some((publication) => publication.track && !publication.isMuted);
  }

  /** Somebody's unmuted sound or visible picture is on its way to us. */
  #somebodySends(): boolean {
    for (const person of this.room.remoteParticipants.values()) {
      for (const publication of person.trackPublications.values()) {
        if (!publication.isSubscribed || publication.isMuted || !publication.isEnabled) continue;
        if (publication.track?.streamState !== Track.StreamState.Paused) return true;
      }
    }
    return false;
  }
}

const REFERENCES = ['remoteId', 'localId', 'codecId', 'mediaSourceId', 'selectedCandidatePairId', 'transportId'];

function prefixed(stat: RawStat, prefix: string): RawStat {
  const copy: RawStat = { ...stat, id: prefix + stat.id };
  for (const key of REFERENCES) if (typeof copy[key] === 'string') copy[key] = prefix + copy[key];
  return copy;
}
