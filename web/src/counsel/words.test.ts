import { describe, expect, it } from 'vitest';
import { type Here, isPictureName, pictureTroubleOf, readHere, readWord, refusalOf, sayHere } from './words';

it('a word is read as the server writes it, whatever stands in it', () => {
  const said = { type: 'candidate', nick: null, msg: null, id: '0', sdp: null, label: 0, candidate: 'candidate:1' };
  expect(readWord(said)).toEqual({ ...said, label: '0' });
  expect(readWord({ type: 'TXT', msg: { html: 'x' }, nick: [] })).toEqual({ type: 'TXT', nick: null, msg: null, id: null, sdp: null, label: null, candidate: null });
  for (const nonsense of [{}, { type: null }, { type: '' }, { type: {} }]) expect(readWord(nonsense)).toBeNull();
});

describe('how things stand', () => {
  const here: Here = { page: 'p1', cam: true, mic: false, together_ms: 61_000, done: false, pictures: [{ name: 'abcdefgh.png', from: 'expert' }], ask: true };
  const said = (msg: string | null, id: string | null = 'p1') => readHere({ type: 'HERE', nick: null, msg, id, sdp: null, label: null, candidate: null });

  it('comes over as it was told', () => {
    expect(readHere(readWord({ ...sayHere(here) })!)).toEqual(here);
  });

  it('what is wrong in it is left out', () => {
    const nothing = { page: 'p1', cam: false, mic: false, together_ms: 0, done: false, pictures: [], ask: false };
    expect(said('{}')).toEqual(nothing);
    expect(said('{"cam":"yes","together_ms":-5,"pictures":{}}')).toEqual(nothing);
    expect(said('{"together_ms":1e300}')?.together_ms).toBe(7 * 24 * 3_600_000);
    expect(said('{"pictures":[{"name":"../../etc/passwd","from":"expert"},{"name":"abcdefgh.png","from":"x"},null,{"name":"abcdefgh.gif","from":"member"}]}')?.pictures).toEqual([{ name: 'abcdefgh.gif', from: 'member' }]);
    for (const wrong of [null, '', 'x', '5', 'null']) expect(said(wrong)).toBeNull();
    expect(said('{}', '')).toBeNull();
    expect(said('{}', 'p'.repeat(100))).toBeNull();
  });
});

it('only names that the server makes lead to pictures', () => {
  for (const name of ['MDEyMzQ1Njc4OTAxMjM0NTY3.png', 'a-b_c-d_e.webp']) expect(isPictureName(name), name).toBe(true);
  for (const name of [null, '', 'x.png', '../secret.png', 'https://evil.example/abcdefgh.png', 'abcdefgh.svg', 'abcdefgh.png?x', '//evil/abcdefgh.png']) expect(isPictureName(name), String(name)).toBe(false);
});

it('the server’s sentences have their meaning', () => {
  expect(refusalOf('the seat of the member is taken')).toBe('seat_taken');
  expect(refusalOf('somebody else took this place')).toBe('elsewhere');
  for (const other of ['the server is stopping', 'constructor', null]) expect(refusalOf(other)).toBeNull();
  expect(pictureTroubleOf('the store is full')).toBe('store_full');
  expect(pictureTroubleOf(null)).toBeNull();
});
