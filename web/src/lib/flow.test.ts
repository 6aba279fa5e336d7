import { expect, it } from 'vitest';
import { FlowWatch, isStalled } from './flow';

function stalls(samples: Array<[at_ms: number, received: number, answers?: number, expected?: boolean]>): boolean[] {
  const watch = new FlowWatch();
  return samples.map(([at_ms, received, answers = 0, expected = true]) => isStalled(watch.push({ at_ms, received, answers, expected })));
}

it('stays calm while packets arrive', () => {
  expect(stalls([[0, 1], [1000, 2], [2000, 3], [3000, 4]])).toEqual([false, false, false, false]);
});

it('reports a blackout within three seconds and its end at once', () => {
  expect(stalls([[0, 1], [1000, 2], [2000, 2], [3000, 2], [4000, 2], [5000, 3]])).toEqual([false, false, false, true, true, false]);
});

it('forgives timers that are a little late or early', () => {
  expect(stalls([[0, 1], [990, 1], [1960, 1]])).toEqual([false, false, true]);
});

it('expects nothing in an empty room', () => {
  expect(stalls([[0, 1, 0, false], [1000, 1, 0, false], [9000, 1, 0, false]])).toEqual([false, false, false]);
});

it('counts the silence from the moment something was expected', () => {
  expect(stalls([[0, 5, 0, false], [1000, 5, 0, false], [2000, 5], [2700, 5], [3100, 5]])).toEqual([false, false, false, false, true]);
});

it('believes a path that still answers', () => {
  expect(stalls([[0, 1, 3], [1000, 1, 3], [2000, 1, 3], [3000, 1, 4]])).toEqual([false, false, true, false]);
});

it('takes a sleeping page for what it is', () => {
  expect(stalls([[0, 1], [60_000, 1], [61_000, 1], [62_000, 1]])).toEqual([false, false, false, true]);
});

it('starts over with a new transport', () => {
  expect(stalls([[0, 9000], [1000, 9000], [2000, 10], [3000, 10]])).toEqual([false, false, false, false]);
});
