/**
 * Is media still arriving? Browsers notice a dead path late (ICE says `disconnected` about five seconds after the last packet), so
 * the banner follows the packets themselves, sampled once a second.
 */

export interface FlowSample {
  at_ms: number;
  /** A counter that grows with everything that arrives on the media transports. */
  received: number;
  /** STUN answers so far: a path that answers is alive even when nobody sends media. */
  answers: number;
  /** Whether something has to arrive now: we send and get feedback, or somebody sends to us. */
  expected: boolean;
}

/**
 * After this long without a packet the path counts as stalled: two samples in a row, with some mercy for timers, so that the banner
 * is there within three seconds.
 */
export const STALL_AFTER_MS = 1_750;
/** A sample this late means the page itself slept; the silence says nothing about the network. */
const SLEPT_AFTER_MS = 5_000;

export class FlowWatch {
  #last: FlowSample | null = null;
  #silentSince_ms = 0;
  #answersAtSilence = 0;

  /** How long nothing has arrived although something should have; 0 while all is well. */
  push(sample: FlowSample): number {
    const last = this.#last;
    this.#last = sample;
    const slept = last !== null && sample.at_ms - last.at_ms > SLEPT_AFTER_MS;
    // A smaller counter is a new transport after a reconnect: start over.
    const moved = last === null || sample.received !== last.received;
    if (moved || slept || !sample.expected) {
      this.#silentSince_ms = sample.at_ms;
      this.#answersAtSilence = sample.answers;
      return 0;
    }
    if (sample.answers > this.#answersAtSilence) return 0;
    return sample.at_ms - this.#silentSince_ms;
  }

  /** Forget what was seen: the transports are being replaced. */
  reset(): void {
    this.#last = null;
  }
}

export function isStalled(silent_ms: number): boolean {
  return silent_ms >= STALL_AFTER_MS;
}
