/** What two counselling pages say to each other over `/ertc`: the door's own word, and what stands in ours (docs/protocols/ertc.md). */

export type Role = 'expert' | 'member';

/** The seven members, each a text or nothing. */
export interface Word {
  type: string;
  nick: string | null;
  msg: string | null;
  id: string | null;
  sdp: string | null;
  label: string | null;
  candidate: string | null;
}

export type Said = Partial<Omit<Word, 'type'>> & { type: string };

/** `null`: no word of this door. */
export function readWord(message: Record<string, unknown>): Word | null {
  const text = (key: string): string | null => {
    const value = message[key];
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null;
  };
  const type = text('type');
  if (!type) return null;
  return { type, nick: text('nick'), msg: text('msg'), id: text('id'), sdp: text('sdp'), label: text('label'), candidate: text('candidate') };
}

/** How things stand at one page, as it tells the other when they meet. */
export interface Here {
  /** Of the page as loaded: a page that comes back with the same one still has its connection. */
  page: string;
  cam: boolean;
  mic: boolean;
  /** How long they have been together so far. */
  together_ms: number;
  /** The member is done. */
  done: boolean;
  pictures: Picture[];
  /** The other has not told yet. */
  ask: boolean;
}

export interface Picture {
  name: string;
  from: Role;
}

/** More than fit into the server's store for a room. */
const PICTURES_MAX = 200;
/** As the server makes them; anything else would lead elsewhere. */
const PICTURE_NAME = /^[\w-]{8,64}\.(?:png|jpg|gif|webp)$/;
const TOGETHER_MS_MAX = 7 * 24 * 3_600_000;

export function isPictureName(name: string | null): name is string {
  return name !== null && PICTURE_NAME.test(name);
}

export function sayHere({ page, ...rest }: Here): Said {
  return { type: 'HERE', id: page, msg: JSON.stringify(rest) };
}

/** `null`: it cannot be read, and is as if not said. */
export function readHere(word: Word): Here | null {
  if (word.type !== 'HERE' || !word.id || word.id.length > 64) return null;
  let said: unknown;
  try {
    said = JSON.parse(word.msg ?? '');
  } catch {
    return null;
  }
  if (typeof said !== 'object' || said === null) return null;
  const { cam, mic, together_ms, done, pictures, ask } = said as Record<string, unknown>;
  const time = typeof together_ms === 'number' && together_ms >= 0 ? Math.min(together_ms, TOGETHER_MS_MAX) : 0;
  return {
    page: word.id,
    cam: cam === true,
    mic: mic === true,
    together_ms: time,
    done: done === true,
    pictures: Array.isArray(pictures) ? pictures.filter(isPicture).slice(-PICTURES_MAX) : [],
    ask: ask === true,
  };
}

function isPicture(value: unknown): value is Picture {
  if (typeof value !== 'object' || value === null) return false;
  const { name, from } = value as Record<string, unknown>;
  return typeof name === 'string' && isPictureName(name) && (from === 'expert' || from === 'member');
}

/** The end of a stay that the page cannot mend. */
export type Refusal = 'seat_taken' | 'elsewhere' | 'not_allowed' | 'full' | 'removed' | 'closed' | 'room_missing' | 'wrong_room';
export type PictureTrouble = 'too_large' | 'kind' | 'store_full' | 'too_many';

const REFUSALS = new Map<string, Refusal>(Object.entries<Refusal>({
  'the seat of the expert is taken': 'seat_taken',
  'the seat of the member is taken': 'seat_taken',
  'somebody else took this place': 'elsewhere',
  'not allowed': 'not_allowed',
  // Who may say nothing can hold no session.
  'not allowed by the token': 'not_allowed',
  'requested room does not exist': 'room_missing',
  'the members of this room are connected by way of the server, not to each other': 'wrong_room',
  'room is full': 'full',
  'server is full': 'full',
  'removed by a moderator': 'removed',
  'the room was closed': 'closed',
}));

const PICTURE_TROUBLES = new Map<string, PictureTrouble>(Object.entries<PictureTrouble>({
  'the file is larger than allowed': 'too_large',
  'not a picture of a kind that is allowed': 'kind',
  'the store is full': 'store_full',
  'too many pictures at once': 'too_many',
}));

export function refusalOf(sentence: string | null): Refusal | null {
  return REFUSALS.get(sentence ?? '') ?? null;
}

export function pictureTroubleOf(sentence: string | null): PictureTrouble | null {
  return PICTURE_TROUBLES.get(sentence ?? '') ?? null;
}
