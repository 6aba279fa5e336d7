/** Which key does what in a room. The set is Jitsi's, so that hands need not learn a new one. */

export type Action =
  | { do: 'mic' | 'camera' | 'screen' | 'chat' | 'hand' | 'layout' | 'filmstrip' | 'people' | 'stats' | 'help' }
  | { do: 'pin'; index: number }
  | { do: 'talk' };

export interface Key {
  key: string;
  /** The place on the keyboard: letters stay where they are while a Korean layout is active. */
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const LETTERS: Record<string, Action> = {
  KeyM: { do: 'mic' },
  KeyV: { do: 'camera' },
  KeyD: { do: 'screen' },
  KeyC: { do: 'chat' },
  KeyR: { do: 'hand' },
  KeyW: { do: 'layout' },
  KeyF: { do: 'filmstrip' },
  KeyP: { do: 'people' },
  KeyT: { do: 'stats' },
};

export function actionOf(key: Key): Action | null {
  if (key.ctrlKey || key.metaKey || key.altKey) return null;
  if (key.key === '?') return { do: 'help' };
  if (key.code === 'Space') return { do: 'talk' };
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(key.code);
  if (digit && /^\d$/.test(key.key)) return { do: 'pin', index: Number(digit[1]) };
  return letterAction(key);
}

/** True where typing is meant for a field and not for the room. */
export function isTypingTarget(target: { tagName?: string; isContentEditable?: boolean; type?: string } | null): boolean {
  if (!target) return false;
  if (target.isContentEditable) return true;
  const tag = target.tagName?.toLowerCase();
  if (tag === 'textarea' || tag === 'select') return true;
  return tag === 'input' && !['checkbox', 'radio', 'button', 'range'].includes(target.type ?? 'text');
}

function letterAction(key: Key): Action | null {
  const letter = key.key.toLowerCase();
  // On layouts such as Dvorak the letter printed on the key counts; where the key gives no Latin letter, its place does.
  if (/^[a-z]$/.test(letter)) return LETTERS[`Key${letter.toUpperCase()}`] ?? null;
  return LETTERS[key.code] ?? null;
}
