/** What an answer that is no 201 means for whoever asked. */

export type Kind = 'watch' | 'publish';
/** Why nothing more is tried until somebody changes something. */
export type Reason = 'no_src' | 'token' | 'not_allowed' | 'busy' | 'missing' | 'mesh' | 'unsupported' | 'other';

/** `waiting`: nobody publishes there yet. `again`: it may be otherwise in a while. */
export type Outcome = Reason | 'waiting' | 'again';

const AFTER_MS_MAX = 60_000;

/** Servers other than ours answer 404 or 409 to a viewer who comes before the publisher. */
export function outcomeOf(kind: Kind, status: number, sentence: string): Outcome {
  if (status >= 500 || [408, 425, 429].includes(status)) return 'again';
  if (status === 401) return 'token';
  if (status === 403) return 'not_allowed';
  if ([400, 406, 415, 422, 488].includes(status)) return 'unsupported';
  if (/to each other/.test(sentence)) return 'mesh';
  if (status === 404) return kind === 'publish' || /not exist/.test(sentence) ? 'missing' : 'waiting';
  return status === 409 ? (kind === 'publish' ? 'busy' : 'waiting') : 'other';
}

/** `Retry-After` in seconds. One that is a date is no shorter than our own back-off, as a rule. */
export function afterOf(header: string | null): number {
  return Math.min(Number.parseInt(header ?? '', 10) * 1000 || 0, AFTER_MS_MAX);
}

/** Doubles up to half a minute; not everybody at the same moment. `random`: from 0 to 1. */
export function backOff(attempt: number, random: number): number {
  return Math.min(1000 * 2 ** attempt, 30_000) * (0.75 + random / 2);
}

/** What a server says of itself, in one line. Markup is that of a page in between, and says nothing. */
export function sentenceOf(text: string): string {
  return /^\s*</.test(text) ? '' : (/\S.{0,199}/.exec(text)?.[0] ?? '');
}
