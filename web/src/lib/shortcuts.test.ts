import { describe, expect, it } from 'vitest';
import { actionOf, isTypingTarget, type Key } from './shortcuts';

function key(name: string, code: string, more: Partial<Key> = {}): Key {
  return { key: name, code, ctrlKey: false, metaKey: false, altKey: false, ...more };
}

describe('actionOf', () => {
  it('knows the set', () => {
    expect(actionOf(key('m', 'KeyM'))).toEqual({ do: 'mic' });
    expect(actionOf(key('M', 'KeyM'))).toEqual({ do: 'mic' });
    expect(actionOf(key('?', 'Slash'))).toEqual({ do: 'help' });
    expect(actionOf(key(' ', 'Space'))).toEqual({ do: 'talk' });
    expect(actionOf(key('0', 'Digit0'))).toEqual({ do: 'pin', index: 0 });
    expect(actionOf(key('7', 'Numpad7'))).toEqual({ do: 'pin', index: 7 });
  });

  it('works with a Korean layout and respects another Latin one', () => {
    expect(actionOf(key('ㅡ', 'KeyM'))).toEqual({ do: 'mic' });
    expect(actionOf(key('m', 'Semicolon'))).toEqual({ do: 'mic' });
    expect(actionOf(key('x', 'KeyM'))).toBe(null);
  });

  it('leaves the browser’s own combinations alone', () => {
    expect(actionOf(key('r', 'KeyR', { ctrlKey: true }))).toBe(null);
    expect(actionOf(key('c', 'KeyC', { metaKey: true }))).toBe(null);
    expect(actionOf(key('!', 'Digit1'))).toBe(null);
    expect(actionOf(key('Enter', 'Enter'))).toBe(null);
  });
});

describe('isTypingTarget', () => {
  it('is true in fields only', () => {
    expect(isTypingTarget({ tagName: 'INPUT', type: 'text' })).toBe(true);
    expect(isTypingTarget({ tagName: 'TEXTAREA' })).toBe(true);
    expect(isTypingTarget({ tagName: 'DIV', isContentEditable: true })).toBe(true);
    expect(isTypingTarget({ tagName: 'INPUT', type: 'checkbox' })).toBe(false);
    expect(isTypingTarget({ tagName: 'BUTTON' })).toBe(false);
    expect(isTypingTarget(null)).toBe(false);
  });
});
