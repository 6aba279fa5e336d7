/** The conversation beside the pictures: its messages, and the history a newcomer asks a peer for. */

export interface ChatMessage {
  id: string;
  /** Who wrote it, as the server says; in a history, as the peer that gave it says. */
  identity: string;
  name: string;
  text: string;
  at_ms: number;
  /** Came from a peer's memory rather than from its author. */
  replayed?: boolean;
}

export const TEXT_LENGTH_MAX = 4_000;
export const MESSAGES_MAX = 500;
/** Answers to a remote call must stay below 15 KiB for every client. */
const HISTORY_BYTES_MAX = 14_000;
const NAME_LENGTH_MAX = 128;

/** Both lists as one: by time, each message once (the directly received one wins), the oldest dropped beyond the limit. */
export function mergeMessages(present: readonly ChatMessage[], added: readonly ChatMessage[]): ChatMessage[] {
  const byId = new Map(present.map((message) => [message.id, message]));
  for (const message of added) {
    const known = byId.get(message.id);
    if (!known || (known.replayed && !message.replayed)) byId.set(message.id, message);
  }
  return [...byId.values()].sort((a, b) => a.at_ms - b.at_ms || (a.id < b.id ? -1 : 1)).slice(-MESSAGES_MAX);
}

/** As many of the newest messages as fit into one answer. */
export function packHistory(messages: readonly ChatMessage[]): string {
  const encoder = new TextEncoder();
  const packed: string[] = [];
  let bytes = 2;
  for (const { id, identity, name, text, at_ms } of [...messages].reverse()) {
    const entry = JSON.stringify({ id, identity, name, text, at_ms });
    bytes += encoder.encode(entry).length + 1;
    if (bytes > HISTORY_BYTES_MAX) break;
    packed.push(entry);
  }
  return `[${packed.reverse().join(',')}]`;
}

/** A peer's answer is a stranger's text: whatever is not a message is left out. */
export function unpackHistory(answer: string): ChatMessage[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer);
  } catch {
    return [];
  }
  if (!Array.isArray(parsed)) return [];
  return parsed.slice(-MESSAGES_MAX).flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { id, identity, name, text, at_ms } = entry as Record<string, unknown>;
    if (typeof id !== 'string' || id === '' || typeof identity !== 'string' || typeof name !== 'string') return [];
    if (typeof text !== 'string' || text === '' || typeof at_ms !== 'number' || !Number.isFinite(at_ms)) return [];
    return [{ id, identity, name: name.slice(0, NAME_LENGTH_MAX), text: text.slice(0, TEXT_LENGTH_MAX), at_ms, replayed: true }];
  });
}

export interface TextPart {
  text: string;
  /** Set when the part is an address of the web. */
  href?: string;
}

/** Cuts a message into plain text and web addresses. */
export function linkParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']+/g)) {
    const address = match[0].replace(/[.,;:!?)\]}]+$/, '');
    if (!URL.canParse(address)) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: address, href: address });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}
