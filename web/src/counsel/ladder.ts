/** In which order a way is looked for that sound and picture take: the expert's page climbs, the member's follows. */

/**
 * `restart`: the connection looks for another way, over the relay too. `anew`: another connection. `server`: not between the two, but by way of
 * the server.
 */
export type Step = 'restart' | 'anew' | 'server';
/**
 * `trying`: nothing comes through. `gathering`: and it is not known yet what might, with a slow name service not for long. `spent`: everything that
 * might was tried. `failed`: the browser gave up.
 */
export type Standing = 'well' | 'trying' | 'gathering' | 'spent' | 'failed';

/** So long a way may take to be found, also over a far relay. */
const TRY_MS = 4_000;
/** Whoever looks for another way meanwhile begins from the start, and loses what was about to be found. */
const GATHER_MS = 6_000;
const GATHER_MS_ALONE = 12_000;
const FAILED_MS = 1_000;
/** Where there is nothing left to climb. */
const AGAIN_MS = 8_000;
/** So long it was well: the next trouble is another one. */
const FORGOTTEN_MS = 30_000;

export class Ladder {
  #climbed = 0;
  #at_ms = 0;
  #wellSince_ms: number | null = null;
  #wasWell = false;

  /** They have met, and a connection is on its way. */
  begin(now_ms: number): void {
    this.#climbed = 0;
    this.#at_ms = now_ms;
    this.#wellSince_ms = null;
    this.#wasWell = false;
  }

  /** What is due now. */
  judge(now_ms: number, standing: Standing, hasServer: boolean): Step | null {
    if (standing === 'well') {
      this.#wasWell = true;
      this.#wellSince_ms ??= now_ms;
      if (now_ms - this.#wellSince_ms >= FORGOTTEN_MS) this.#climbed = 0;
      return null;
    }
    this.#wellSince_ms = null;
    // What never was a way does not become one by another connection, and what was tried as a whole not by another try.
    const isFirst = !this.#wasWell && hasServer && (standing === 'spent' || standing === 'gathering');
    const steps: readonly Step[] = this.#wasWell ? ['restart', 'anew'] : isFirst ? [] : ['restart'];
    const step = steps[this.#climbed] ?? (hasServer ? 'server' : 'anew');
    const isAgain = this.#climbed > steps.length;
    if (now_ms - this.#at_ms < (isAgain ? AGAIN_MS : this.#pause_ms(standing, hasServer))) return null;
    this.#at_ms = now_ms;
    this.#climbed++;
    return step;
  }

  #pause_ms(standing: Standing, hasServer: boolean): number {
    if (standing === 'gathering') return hasServer ? GATHER_MS : GATHER_MS_ALONE;
    if (standing === 'spent') return this.#wasWell || !hasServer ? FAILED_MS : 0;
    return standing === 'failed' ? FAILED_MS : TRY_MS;
  }
}
