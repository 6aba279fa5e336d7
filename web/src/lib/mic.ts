/** What the microphone level says over time. Levels are root mean square, 0…1, fed about ten times a second. */

const SPEECH_LEVEL = 0.03;
const SPEECH_FOR_MS = 500;
const SPEECH_WINDOW_MS = 1_500;
/** Even a quiet room is louder than this: below it, the device delivers nothing. */
const SIGNAL_LEVEL = 0.0004;
const NO_SIGNAL_AFTER_MS = 7_000;

export type MicHint = 'muted_speaking' | 'no_signal' | null;

export class MicWatch {
  #loud: Array<{ at_ms: number; for_ms: number }> = [];
  #lastSignal_ms: number | null = null;
  #last_ms: number | null = null;

  push(at_ms: number, level: number, muted: boolean): MicHint {
    const for_ms = Math.min(250, this.#last_ms === null ? 0 : at_ms - this.#last_ms);
    this.#last_ms = at_ms;
    if (this.#lastSignal_ms === null || level > SIGNAL_LEVEL) this.#lastSignal_ms = at_ms;
    if (level > SPEECH_LEVEL) this.#loud.push({ at_ms, for_ms });
    this.#loud = this.#loud.filter((each) => at_ms - each.at_ms < SPEECH_WINDOW_MS);
    if (muted) {
      this.#lastSignal_ms = at_ms;
      const spoken = this.#loud.reduce((sum, each) => sum + each.for_ms, 0);
      return spoken >= SPEECH_FOR_MS ? 'muted_speaking' : null;
    }
    return at_ms - this.#lastSignal_ms >= NO_SIGNAL_AFTER_MS ? 'no_signal' : null;
  }
}

/** A level as a share of a meter, on a scale close to how loud it sounds. */
export function meterShare(level: number): number {
  if (level <= 0.001) return 0;
  const decibel = 20 * Math.log10(level);
  return Math.min(1, Math.max(0, (decibel + 54) / 48));
}
