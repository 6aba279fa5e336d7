/** Once a second: what a connection reports, and for how long nothing has arrived that should. */

import { signal } from '@preact/signals';
import { FlowWatch, isStalled } from '../lib/flow';
import { type RawStat, type StatsSample, StatsReader } from '../lib/stats';
import { type Path, pathOf } from './path';

const EVERY_MS = 1_000;

export class Pulse {
  readonly sample = signal<StatsSample | null>(null);
  /** Which way it goes. */
  readonly path = signal<Path | null>(null);
  readonly silent_ms = signal(0);
  #reader = new StatsReader();
  #flow = new FlowWatch();
  #of: RTCPeerConnection | null = null;
  #timer: ReturnType<typeof setInterval>;

  /** `expected`: something has to arrive now. */
  constructor(
    readonly connection: () => RTCPeerConnection | null,
    readonly expected: (sample: StatsSample) => boolean,
  ) {
    this.#timer = setInterval(() => void this.#beat(), EVERY_MS);
  }

  get isStalled(): boolean {
    return isStalled(this.silent_ms.value);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    const pc = this.connection();
    if (pc !== this.#of) {
      this.#of = pc;
      this.#reader = new StatsReader();
      this.#flow.reset();
    }
    const report = await pc?.getStats().catch(() => null);
    if (pc !== this.connection()) return;
    if (!report) {
      this.sample.value = null;
      this.path.value = null;
      this.silent_ms.value = 0;
      return;
    }
    const stats: RawStat[] = [];
    report.forEach((stat: RawStat) => stats.push(stat));
    const at_ms = performance.now();
    const sample = this.#reader.read(at_ms, stats);
    this.path.value = pathOf(stats);
    this.sample.value = sample;
    this.silent_ms.value = this.#flow.push({ at_ms, received: sample.received, answers: sample.answers, expected: this.expected(sample) });
  }
}
