import { describe, expect, it } from 'vitest';
import { en } from './en';
import { preferredLanguage } from './index';
import { ko } from './ko';

function leaves(value: unknown, path = ''): Array<[string, unknown]> {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}/${key}`));
}

describe('dictionaries', () => {
  it('have the same places, none empty', () => {
    const english = leaves(en);
    const korean = new Map(leaves(ko));
    expect([...korean.keys()].sort()).toEqual(english.map(([path]) => path).sort());
    for (const [path, text] of [...english, ...korean]) {
      const shown = typeof text === 'function' ? String((text as (...values: unknown[]) => string)('A', 2)) : text;
      expect(shown, path).not.toBe('');
    }
  });

  it('are really translated', () => {
    const same = leaves(en).filter(([path, text]) => typeof text === 'string' && /[a-z]{4}/.test(text) && !path.includes('/list/') && leaves(ko).some(([other, translated]) => other === path && translated === text));
    expect(same).toEqual([]);
  });
});

describe('preferredLanguage', () => {
  it('takes the stored choice, then the browser’s first known, then English', () => {
    expect(preferredLanguage('ko', ['en'])).toBe('ko');
    expect(preferredLanguage(null, ['ko-KR', 'en'])).toBe('ko');
    expect(preferredLanguage(null, ['fr', 'en-GB', 'ko'])).toBe('en');
    expect(preferredLanguage('xx', ['fr'])).toBe('en');
  });
});
