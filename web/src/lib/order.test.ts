import { describe, expect, it } from 'vitest';
import { mainTile, type Orderable, orderTiles, pageOf } from './order';

function tile(key: string, more: Partial<Orderable> = {}): Orderable {
  return { key, source: 'camera', local: false, joinedAt_ms: 0, lastSpoke_ms: 0, speaking: false, ...more };
}

function keys(tiles: readonly Orderable[]): string {
  return tiles.map((each) => each.key).join(' ');
}

describe('orderTiles', () => {
  it('starts with screens, then oneself, then by arrival', () => {
    const tiles = [tile('b', { joinedAt_ms: 2 }), tile('me', { local: true, joinedAt_ms: 9 }), tile('a', { joinedAt_ms: 1 }), tile('s', { source: 'screen_share' })];
    expect(keys(orderTiles(tiles, [], 9))).toBe('s me a b');
  });

  it('leaves everybody in place when somebody comes or goes', () => {
    const previous = ['me', 'c', 'a', 'b'];
    const tiles = [tile('a', { joinedAt_ms: 1 }), tile('b'), tile('d', { joinedAt_ms: 5 }), tile('me', { local: true })];
    expect(keys(orderTiles(tiles, previous, 9))).toBe('me a b d');
  });

  it('brings a speaker of a later page to the place of the quietest', () => {
    const tiles = [tile('me', { local: true }), tile('a', { lastSpoke_ms: 50 }), tile('b', { lastSpoke_ms: 10 }), tile('c'), tile('d', { speaking: true, lastSpoke_ms: 99 })];
    const previous = ['me', 'a', 'b', 'c', 'd'];
    expect(keys(orderTiles(tiles, previous, 3))).toBe('me a d c b');
  });

  it('moves nobody when the speaker is on the first page already', () => {
    const tiles = [tile('a'), tile('b', { speaking: true }), tile('c')];
    expect(keys(orderTiles(tiles, ['a', 'b', 'c'], 2))).toBe('a b c');
  });
});

describe('mainTile', () => {
  const people = [tile('me', { local: true, lastSpoke_ms: 100 }), tile('a', { lastSpoke_ms: 5 }), tile('b', { lastSpoke_ms: 8 })];

  it('prefers the pin, then a screen, then who spoke last, never oneself by voice', () => {
    const screen = tile('s', { source: 'screen_share' });
    expect(mainTile([...people, screen], 'a')?.key).toBe('a');
    expect(mainTile([...people, screen], null)?.key).toBe('s');
    expect(mainTile(people, null)?.key).toBe('b');
    expect(mainTile(people, 'gone')?.key).toBe('b');
    expect(mainTile([tile('me', { local: true })], null)?.key).toBe('me');
  });
});

it('keeps the large place while its holder speaks', () => {
  const talking = [tile('a', { lastSpoke_ms: 5, speaking: true }), tile('b', { lastSpoke_ms: 8, speaking: true })];
  expect(mainTile(talking, null, 'a')?.key).toBe('a');
  expect(mainTile([tile('a', { lastSpoke_ms: 5 }), tile('b', { lastSpoke_ms: 8, speaking: true })], null, 'a')?.key).toBe('b');
});

describe('pageOf', () => {
  it('clamps to existing pages', () => {
    expect(pageOf([1, 2, 3, 4, 5], 9, 2)).toEqual({ items: [5], page: 2, pages: 3 });
    expect(pageOf([], 3, 2)).toEqual({ items: [], page: 0, pages: 1 });
  });
});
