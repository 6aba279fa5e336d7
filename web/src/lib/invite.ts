/** Room names, invitation links and the tokens in them. */

export const ROOM_LENGTH_MAX = 128;

export interface Invitation {
  room: string;
  token: string | null;
}

/** What somebody typed or pasted: a room's name, a path, or a whole link. `null` when it names no room. */
export function parseInvitation(input: string): Invitation | null {
  const text = input.trim();
  if (text === '') return null;
  const match = /^(?:https?:\/\/[^/]+)?\/?r\/([^/?#]+)[^#]*(?:#(.*))?$/i.exec(text);
  if (match) return invitation(decode(match[1] ?? ''), match[2] ?? '');
  if (/^https?:\/\//i.test(text)) return null;
  return invitation(text, '');
}

export function parseLocation(pathname: string, hash: string): Invitation | null {
  const match = /^\/r\/([^/]+)\/?$/.exec(pathname);
  return match ? invitation(decode(match[1] ?? ''), hash.replace(/^#/, '')) : null;
}

/** Where else a link may lead: an address of the app that is no room's. */
export type Place = 'counsel' | 'studio' | 'watch';
export type CounselRole = 'expert' | 'member';

export interface Address {
  place: Place;
  invitation: Invitation;
  /** Of a counselling session; who says nothing comes as a member. */
  role: CounselRole;
  /** `way=server`: sound and picture of it go by way of the server from the start. */
  byServer: boolean;
}

const PLACES: Record<string, Place> = { c: 'counsel', studio: 'studio', watch: 'watch' };

/** `null`: the address of no such page. */
export function parseAddress(pathname: string, search: string, hash: string): Address | null {
  const match = /^\/(c|studio|watch)\/([^/]+)\/?$/.exec(pathname);
  const place = PLACES[match?.[1] ?? ''];
  const named = place && invitation(decode(match?.[2] ?? ''), hash.replace(/^#/, ''));
  if (!named) return null;
  const query = new URLSearchParams(search);
  return { place, invitation: named, role: query.get('role') === 'expert' ? 'expert' : 'member', byServer: query.get('way') === 'server' };
}

/** The path of the app that a pasted link names, if it is one of its pages: query and fragment come along. */
export function parsePageLink(input: string): string | null {
  const match = /^(?:https?:\/\/[^/]+)?(\/(?:c|studio|watch)\/[^?#]+)(\?[^#]*)?(#.*)?$/i.exec(input.trim());
  const [, path = '', search = '', hash = ''] = match ?? [];
  return parseAddress(path, search, hash) ? path + search + hash : null;
}

export function counselPath(room: string, role: CounselRole): string {
  return `/c/${encodeURIComponent(room)}?role=${role}`;
}

export function studioPath(room: string): string {
  return `/studio/${encodeURIComponent(room)}`;
}

export function watchPath(room: string): string {
  return `/watch/${encodeURIComponent(room)}`;
}

/** The page that checks whether a call will work, in the room that the token opens. */
export function checkPath(token: string | null): string {
  return token === null ? '/check' : `/check#token=${encodeURIComponent(token)}`;
}

/** The token in a pasted link to any page of the app. */
export function parsePageToken(link: string): string | null {
  const fragment = /#(.*)$/.exec(link.trim())?.[1] ?? '';
  return new URLSearchParams(fragment).get('token') || null;
}

export function roomPath(room: string): string {
  return `/r/${encodeURIComponent(room)}`;
}

/** Never carries a token: a token is one person's seat, and two people cannot sit on it. */
export function invitationLink(origin: string, room: string): string {
  return origin + roomPath(room);
}

/** A name nobody guesses (about 38 bits) that can still be read out over the telephone. */
export function newRoomName(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes)): string {
  const consonants = 'bdghjkmnprstwz';
  const vowels = 'aeiou';
  const bytes = random(new Uint8Array(12));
  let name = '';
  for (let syllable = 0; syllable < 6; syllable++) {
    if (syllable === 2 || syllable === 4) name += '-';
    name += consonants[(bytes[syllable * 2] ?? 0) % consonants.length];
    name += vowels[(bytes[syllable * 2 + 1] ?? 0) % vowels.length];
  }
  return name;
}

export interface TokenClaims {
  room: string;
  identity: string;
  name: string;
  starts_ms: number | null;
  expires_ms: number | null;
}

/** What a token says about itself. Unverified: only to fill in a form and to name an obvious mistake early. */
export function readToken(token: string): TokenClaims | null {
  const [, payload] = token.split('.');
  if (!payload) return null;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== 'object' || claims === null) return null;
    const record = claims as Record<string, unknown>;
    const video = (typeof record['video'] === 'object' && record['video'] !== null ? record['video'] : {}) as Record<string, unknown>;
    return {
      room: string(video['room']),
      identity: string(record['sub']),
      name: string(record['name']),
      starts_ms: milliseconds(record['nbf']),
      expires_ms: milliseconds(record['exp']),
    };
  } catch {
    return null;
  }
}

/** Servers quote what they refuse; a token must not end up in somebody's screenshot. */
export function withoutTokens(text: string): string {
  return text.replace(/\beyJ[\w-]*\.[\w-]+\.[\w-]*/g, '…');
}

function invitation(room: string | null, fragment: string): Invitation | null {
  const name = room?.trim() ?? '';
  if (name === '' || name.length > ROOM_LENGTH_MAX) return null;
  const token = new URLSearchParams(fragment).get('token');
  return { room: name, token: token && token.length > 0 ? token : null };
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function milliseconds(seconds: unknown): number | null {
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : null;
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
