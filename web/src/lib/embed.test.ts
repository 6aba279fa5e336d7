import { expect, it } from 'vitest';
import { snippet } from './embed';

it('a player and a studio, to paste', () => {
  expect(snippet('watch', 'https://meet.example.org', 'yard')).toBe(
    '<script defer src="https://meet.example.org/embed/watch.js"></script>\n<madang-watch src="https://meet.example.org/whep/yard" token="TOKEN" controls></madang-watch>',
  );
  expect(snippet('publish', 'https://meet.example.org', 'yard')).toContain('<madang-publish src="https://meet.example.org/whip/yard" token="TOKEN"></madang-publish>');
});

it('a room’s name stays inside its attribute', () => {
  expect(snippet('watch', 'https://a', '"><b>마당')).toContain('src="https://a/whep/%22%3E%3Cb%3E%EB%A7%88%EB%8B%B9"');
});
