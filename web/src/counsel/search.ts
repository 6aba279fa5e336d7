/** How far the looking for a way has come that one description and its answer began. */

export type Whose = 'own' | 'other';

/** Browsers try one pair of addresses after the other, so far apart. */
const PAIR_MS = 50;
const LEAST_MS = 1_500;
const MOST_MS = 4_000;
/** What goes by way of the server takes as long as what goes straight, or longer. */
const TRIPS = 4;

export class Search {
  #answered_ms: number | null = null;
  #known_ms = 0;
  readonly #found = { own: 0, other: 0 };
  readonly #ended = { own: false, other: false };

  constructor(readonly asked_ms: number) {}

  answered(now_ms: number): void {
    this.#answered_ms = now_ms;
    this.#known_ms = now_ms;
  }

  /** `candidate`: as it is written in descriptions. What listens for streams pairs with nothing here. */
  found(whose: Whose, candidate: string): void {
    if (/^candidate:\S+ \d+ udp /i.test(candidate)) this.#found[whose]++;
  }

  /** There will be no more. */
  ended(whose: Whose, now_ms: number): void {
    this.#ended[whose] = true;
    this.#known_ms = now_ms;
  }

  /** When every pair has been tried for long enough. `null`: nobody knows yet which there are. */
  get spentAt_ms(): number | null {
    if (this.#answered_ms === null || !this.#ended.own || !this.#ended.other) return null;
    const trip_ms = this.#answered_ms - this.asked_ms;
    const pairs = this.#found.own * this.#found.other;
    return this.#known_ms + Math.min(MOST_MS, Math.max(LEAST_MS, TRIPS * trip_ms) + PAIR_MS * pairs);
  }
}
