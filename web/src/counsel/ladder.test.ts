import { expect, it } from 'vitest';
import { Ladder, type Standing } from './ladder';

/** What is due in each second, as long as nothing changes. */
const climb = (ladder: Ladder, from_s: number, to_s: number, standing: Standing, hasServer: boolean): string[] => {
  const steps: string[] = [];
  for (let at_s = from_s; at_s <= to_s; at_s++) {
    const step = ladder.judge(at_s * 1_000, standing, hasServer);
    if (step) steps.push(`${at_s} ${step}`);
  }
  return steps;
};
const begun = (): Ladder => {
  const ladder = new Ladder();
  ladder.begin(0);
  return ladder;
};

it('what never connects goes by way of the server after one more try', () => {
  expect(climb(begun(), 0, 9, 'trying', true)).toEqual(['4 restart', '8 server']);
  expect(climb(begun(), 0, 3, 'failed', true)).toEqual(['1 restart', '2 server']);
});

it('what was tried as a whole goes by way of the server at once', () => {
  expect(climb(begun(), 0, 3, 'spent', true)).toEqual(['0 server']);
  expect(climb(begun(), 0, 12, 'spent', false)).toEqual(['1 restart', '2 anew', '10 anew']);
  const ladder = begun();
  climb(ladder, 0, 4, 'well', true);
  expect(climb(ladder, 5, 7, 'spent', true)).toEqual(['5 restart', '6 anew', '7 server']);
});

it('as long as addresses are being gathered nothing is begun anew', () => {
  expect(climb(begun(), 0, 9, 'gathering', true)).toEqual(['6 server']);
  expect(climb(begun(), 0, 13, 'gathering', false)).toEqual(['12 restart']);
});

it('what was well once is worth another connection first', () => {
  const ladder = begun();
  expect(climb(ladder, 1, 20, 'well', true)).toEqual([]);
  expect(climb(ladder, 21, 40, 'trying', true).slice(0, 3)).toEqual(['21 restart', '25 anew', '29 server']);
});

it('without a server it tries for ever, but not in haste', () => {
  expect(climb(begun(), 0, 40, 'failed', false)).toEqual(['1 restart', '2 anew', '10 anew', '18 anew', '26 anew', '34 anew']);
});

it('after a good while a trouble is a new one, after a short one it is the same', () => {
  const ladder = begun();
  climb(ladder, 0, 4, 'trying', true);
  climb(ladder, 5, 15, 'well', true);
  expect(climb(ladder, 16, 16, 'trying', true)).toEqual(['16 anew']);
  climb(ladder, 17, 50, 'well', true);
  expect(climb(ladder, 51, 51, 'trying', true)).toEqual(['51 restart']);
});
