import { describe, expect, it } from 'vitest';
import { type ChatMessage, linkParts, mergeMessages, MESSAGES_MAX, packHistory, unpackHistory } from './chat';

function message(id: string, at_ms: number, text = 'hello'): ChatMessage {
  return { id, identity: 'kim', name: 'Kim', text, at_ms };
}

describe('mergeMessages', () => {
  it('sorts by time and keeps each message once, the author’s own copy first', () => {
    const replayed = { ...message('a', 1, 'as told'), replayed: true };
    const merged = mergeMessages([message('b', 2)], [replayed, message('c', 3), message('b', 2)]);
    expect(merged.map((each) => each.id)).toEqual(['a', 'b', 'c']);
    expect(mergeMessages(merged, [message('a', 1, 'as written')])[0]?.text).toBe('as written');
    expect(mergeMessages([message('a', 1, 'as written')], [replayed])[0]?.text).toBe('as written');
  });

  it('forgets the oldest beyond the limit', () => {
    const many = Array.from({ length: MESSAGES_MAX + 5 }, (_, index) => message(`m${index}`, index));
    const merged = mergeMessages([], many);
    expect(merged).toHaveLength(MESSAGES_MAX);
    expect(merged[0]?.id).toBe('m5');
  });
});

describe('history', () => {
  it('comes back as it went', () => {
    expect(unpackHistory(packHistory([message('a', 1, '안녕 "x"')]))).toEqual([{ ...message('a', 1, '안녕 "x"'), replayed: true }]);
  });

  it('keeps the newest that fit below the limit in bytes, not letters', () => {
    const packed = packHistory(Array.from({ length: 100 }, (_, index) => message(`m${index}`, index, '가'.repeat(300))));
    expect(new TextEncoder().encode(packed).length).toBeLessThanOrEqual(14_000);
    expect(unpackHistory(packed).at(-1)?.id).toBe('m99');
  });

  it('leaves out what is no message', () => {
    expect(unpackHistory('no json')).toEqual([]);
    expect(unpackHistory('{}')).toEqual([]);
    expect(unpackHistory(JSON.stringify([null, 3, {}, { ...message('a', 1), text: 5 }, { ...message('b', 1), at_ms: null }, message('c', 1)]))).toHaveLength(1);
    expect(unpackHistory(JSON.stringify([message('a', 1, 'x'.repeat(9000))]))[0]?.text).toHaveLength(4000);
  });
});

describe('linkParts', () => {
  it('finds addresses and leaves punctuation outside', () => {
    expect(linkParts('see https://a.example/x?y=1, ok')).toEqual([{ text: 'see ' }, { text: 'https://a.example/x?y=1', href: 'https://a.example/x?y=1' }, { text: ', ok' }]);
    expect(linkParts('plain')).toEqual([{ text: 'plain' }]);
  });

  it('links nothing but http and https', () => {
    for (const text of ['javascript:alert(1)', 'data:text/html,x', 'ftp://a.b', 'https://']) expect(linkParts(text).some((part) => part.href)).toBe(false);
  });
});
