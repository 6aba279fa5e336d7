import { describe, expect, it } from 'vitest';
import { join, merge, moved } from './merge';

describe('merge', () => {
  it('takes the change of the only one who changed', () => {
    expect(merge('abc', 'abc', 'abXc')).toBe('abXc');
    expect(merge('abc', 'aXbc', 'abc')).toBe('aXbc');
    expect(merge('abc', 'x', 'x')).toBe('x');
  });

  it('takes both changes at different places', () => {
    expect(merge('one two three', 'ONE two three', 'one two THREE')).toBe('ONE two THREE');
    expect(merge('one two three', 'one two THREE', 'ONE two three')).toBe('ONE two THREE');
    expect(merge('a\nb\nc\nd\n', 'a\nB\nc\nd\n', 'a\nb\nc\nD\nend')).toBe('a\nB\nc\nD\nend');
  });

  it('keeps both where both wrote at one place, the first one first', () => {
    expect(merge('', 'hello', 'world')).toBe('hello\nworld');
    expect(merge('list:\n', 'list:\n- apples\n', 'list:\n- pears\n')).toBe('list:\n- apples\n- pears\n');
    expect(merge('the red house', 'the blue house', 'the green house')).toBe('the bluegreen house');
  });

  it('does not write twice what one of them only wrote on', () => {
    expect(merge('', 'hel', 'hello')).toBe('hello');
    expect(merge('a\n', 'a\nhello', 'a\nhel')).toBe('a\nhello');
  });

  it('merges many changes of each after a long time apart', () => {
    const base = 'title\n1\n2\n3\n4\n5\n6\n';
    const first = 'Title\n1\n2\n3\n3a\n4\n5\n6\n';
    const second = 'title\n1\n2b\n3\n4\n5\n7\n';
    expect(merge(base, first, second)).toBe('Title\n1\n2b\n3\n3a\n4\n5\n7\n');
  });

  it('lets what one deleted stay deleted', () => {
    expect(merge('keep\ndrop\nkeep too\n', 'keep\nkeep too\n', 'keep\ndrop\nkeep too!\n')).toBe('keep\nkeep too!\n');
    expect(merge('abcdef', 'af', 'abcXdef')).toBe('aXf');
  });

  it('never cuts a letter in two', () => {
    expect(merge('a😀', 'a😁', 'a😂')).toBe('a😁😂');
  });

  it('manages long texts', () => {
    const base = Array.from({ length: 3_000 }, (_, line) => `line ${line}\n`).join('');
    const first = base.replace('line 10\n', 'line ten\n').replace('line 2000\n', '');
    const second = base.replace('line 2990\n', 'line 2990, well\n');
    expect(merge(base, first, second)).toBe(first.replace('line 2990\n', 'line 2990, well\n'));
  });
});

it('join loses nothing and doubles nothing', () => {
  expect(join('', 'a')).toBe('a');
  expect(join('a', '')).toBe('a');
  expect(join('a and b', 'a')).toBe('a and b');
  expect(join('a', 'a and b')).toBe('a and b');
  expect(join('a', 'b')).toBe('a\nb');
  expect(join('a\n', 'b')).toBe('a\nb');
});

it('a caret stays with its letter', () => {
  expect(moved(2, 'abc', 'abcX')).toBe(2);
  expect(moved(2, 'abc', 'Xabc')).toBe(3);
  expect(moved(3, 'abc', 'ab')).toBe(2);
  expect(moved(2, 'abcd', 'aXd')).toBe(2);
  expect(moved(0, '', 'hello')).toBe(0);
});
