import { describe, expect, it } from 'vitest';
import { counselPath, invitationLink, newRoomName, checkPath, parseAddress, parsePageToken, parseInvitation, parseLocation, parsePageLink, readToken, roomPath, studioPath, watchPath, withoutTokens } from './invite';

describe('parseInvitation', () => {
  it('takes names, paths and links', () => {
    expect(parseInvitation(' yard ')).toEqual({ room: 'yard', token: null });
    expect(parseInvitation('팀 회의')).toEqual({ room: '팀 회의', token: null });
    expect(parseInvitation('https://meet.example/r/yard')).toEqual({ room: 'yard', token: null });
    expect(parseInvitation('https://meet.example/r/%EB%A7%88%EB%8B%B9#token=a.b.c')).toEqual({ room: '마당', token: 'a.b.c' });
    expect(parseInvitation('/r/yard#token=x')).toEqual({ room: 'yard', token: 'x' });
  });

  it('refuses what names no room', () => {
    for (const bad of ['', '   ', 'https://example.org/', 'https://meet.example/r/', 'https://meet.example/r/%E0%A4%A', 'x'.repeat(129)]) {
      expect(parseInvitation(bad)).toBe(null);
    }
  });
});

describe('parseLocation', () => {
  it('reads the room and the token of the fragment', () => {
    expect(parseLocation('/r/yard', '#token=t')).toEqual({ room: 'yard', token: 't' });
    expect(parseLocation('/r/yard/', '')).toEqual({ room: 'yard', token: null });
    expect(parseLocation('/', '')).toBe(null);
    expect(parseLocation('/r/a/b', '')).toBe(null);
  });

  it('is the inverse of roomPath', () => {
    for (const room of ['yard', 'a/b?c#d', '마당 1']) expect(parseLocation(roomPath(room), '')?.room).toBe(room);
    expect(invitationLink('https://h', 'a b')).toBe('https://h/r/a%20b');
  });
});

describe('parseAddress', () => {
  it('knows the pages that are no rooms', () => {
    expect(parseAddress('/c/yard', '?role=expert', '#token=t')).toEqual({ place: 'counsel', invitation: { room: 'yard', token: 't' }, role: 'expert', byServer: false });
    expect(parseAddress('/c/yard/', '', '')).toMatchObject({ place: 'counsel', role: 'member' });
    expect(parseAddress('/c/yard', '?role=expert&way=server', '')).toMatchObject({ role: 'expert', byServer: true });
    expect(parseAddress('/studio/%EB%A7%88%EB%8B%B9', '', '')).toMatchObject({ place: 'studio', invitation: { room: '마당', token: null } });
    expect(parseAddress('/watch/yard', '?role=admin', '')).toMatchObject({ place: 'watch', role: 'member' });
    for (const path of ['/', '/c', '/c/', '/c/a/b', '/r/yard', '/constructor/yard', '/watch/%E0%A4%A']) expect(parseAddress(path, '', ''), path).toBeNull();
  });

  it('is the inverse of the paths', () => {
    for (const room of ['yard', 'a/b?c#d', '마당 1']) {
      for (const path of [counselPath(room, 'expert'), studioPath(room), watchPath(room)]) {
        const { pathname, search } = new URL(path, 'https://h');
        expect(parseAddress(pathname, search, '')?.invitation.room).toBe(room);
      }
    }
  });

  it('finds a page in a pasted link, and leaves rooms alone', () => {
    expect(parsePageLink(' https://meet.example/c/yard?role=expert#token=a.b.c ')).toBe('/c/yard?role=expert#token=a.b.c');
    expect(parsePageLink('/watch/yard')).toBe('/watch/yard');
    for (const other of ['yard', 'https://meet.example/r/yard', 'https://meet.example/watch/', 'c/yard', '']) expect(parsePageLink(other), other).toBeNull();
  });
});

describe('newRoomName', () => {
  it('is three pronounceable pairs', () => {
    for (let i = 0; i < 50; i++) expect(newRoomName()).toMatch(/^([a-z][aeiou]){2}-([a-z][aeiou]){2}-([a-z][aeiou]){2}$/);
  });
});

describe('readToken', () => {
  const encode = (claims: unknown): string => `h.${btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(claims)))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}.s`;

  it('reads claims with any letters', () => {
    expect(readToken(encode({ sub: 'k', name: '김', exp: 10, nbf: 5, video: { room: 'yard' } }))).toEqual({ room: 'yard', identity: 'k', name: '김', starts_ms: 5_000, expires_ms: 10_000 });
  });

  it('survives nonsense', () => {
    for (const bad of ['', 'a', 'a.b.c', encode(null), encode([]), encode(3)]) expect(() => readToken(bad)).not.toThrow();
    expect(readToken('a.%%%.c')).toBe(null);
    expect(readToken(encode({}))).toEqual({ room: '', identity: '', name: '', starts_ms: null, expires_ms: null });
  });
});

it('withoutTokens keeps the sentence and drops the secret', () => {
  expect(withoutTokens('invalid token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-_9, error: expired')).toBe('invalid token: …, error: expired');
  expect(withoutTokens('nothing here. at all')).toBe('nothing here. at all');
});

describe('the page for checks', () => {
  it('takes a token along, and finds it in any pasted link', () => {
    expect([checkPath(null), checkPath('a.b.c')]).toEqual(['/check', '/check#token=a.b.c']);
    expect(['https://h/watch/yard#token=a.b.c', ' /check#x=1&token=a.b.c ', 'https://h/r/yard', '#token=', 'nonsense'].map(parsePageToken)).toEqual(['a.b.c', 'a.b.c', null, null, null]);
  });
});
