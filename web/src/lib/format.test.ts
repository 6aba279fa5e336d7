import { expect, it } from 'vitest';
import { bitrate, clock, duration, hash, initials, percent } from './format';

it('writes rates', () => {
  expect([bitrate(0), bitrate(64_400), bitrate(1_540_000)]).toEqual(['–', '64 kbit/s', '1.5 Mbit/s']);
  expect([percent(0), percent(0.0123), percent(0.5)]).toEqual(['0 %', '1.2 %', '50 %']);
});

it('writes durations', () => {
  expect([duration(-5), duration(187_000), duration(3_729_000)]).toEqual(['0:00', '3:07', '1:02:09']);
});

it('writes the time of day without a zero in front', () => {
  // Which words stand beside it is up to the language data of the machine.
  const afternoon = new Date(2026, 0, 5, 14, 7).getTime();
  for (const language of ['en', 'ko']) expect(clock(afternoon, language)).toMatch(/(?<!\d)2:07/u);
});

it('shortens names of any script', () => {
  expect(['김하늘', 'Ada Lovelace', 'kim', '😀 cat', '', '남궁 민수'].map(initials)).toEqual(['하늘', 'AL', 'K', '😀C', '?', '남민']);
});

it('picks the same bucket for the same text', () => {
  expect(hash('kim', 6)).toBe(hash('kim', 6));
  for (const name of ['a', 'b', '김', '']) expect(hash(name, 6)).toBeLessThan(6);
});
