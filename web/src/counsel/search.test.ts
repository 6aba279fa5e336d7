import { expect, it } from 'vitest';
import { Search } from './search';

const HOST = 'candidate:1 1 udp 2122194687 192.0.2.2 46878 typ host';
const STREAM = 'candidate:2 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active';

const search = ({ answered_ms = 100, own = 1, other = 1 }): Search => {
  const looking = new Search(0);
  for (let at = 0; at < own; at++) looking.found('own', HOST);
  for (let at = 0; at < other; at++) looking.found('other', HOST);
  looking.answered(answered_ms);
  return looking;
};

it('is not over before both have said all, and the answer is there', () => {
  const looking = search({});
  expect(looking.spentAt_ms).toBeNull();
  looking.ended('own', 120);
  expect(looking.spentAt_ms).toBeNull();
  looking.ended('other', 200);
  expect(looking.spentAt_ms).toBe(1_750);
  const unanswered = new Search(0);
  unanswered.ended('own', 10);
  unanswered.ended('other', 10);
  expect(unanswered.spentAt_ms).toBeNull();
});

it('takes longer over a slow line, and the more pairs there are, but not for ever', () => {
  const over = (looking: Search): number | null => {
    looking.ended('own', 1_000);
    looking.ended('other', 1_000);
    return looking.spentAt_ms;
  };
  expect(over(search({ answered_ms: 500 }))).toBe(1_000 + 2_000 + 50);
  expect(over(search({ own: 5, other: 4 }))).toBe(1_000 + 1_500 + 1_000);
  expect(over(search({ own: 20, other: 20 }))).toBe(5_000);
  const streams = search({});
  for (let at = 0; at < 9; at++) streams.found('own', STREAM);
  expect(over(streams)).toBe(1_000 + 1_500 + 50);
});
