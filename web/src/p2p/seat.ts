/** A key of this tab for a place that only one may have: with it the place is ours again when the line broke. */

import { load, save } from '../lib/storage';

export function seatKey(place: string): string {
  const name = `seat.${place}`;
  const known = load('session', name);
  if (known) return known;
  const key = randomId();
  save('session', name, key);
  return key;
}

/** 96 bits. */
export function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(3)).reduce((text, word) => text + word.toString(36).padStart(7, '0'), '');
}
