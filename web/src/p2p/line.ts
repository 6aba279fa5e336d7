/** A WebSocket that opens again by itself, for as long as it is wanted. */

import { signal } from '@preact/signals';

export type LineState = 'opening' | 'open' | 'broken' | 'closed';

export interface LineUse {
  url: string;
  /** The first time, and after each break. */
  opened: () => void;
  heard: (message: Record<string, unknown>) => void;
}

const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 8_000;
/** A line that stood this long was a good one: the next pause is a short one again. */
const STEADY_MS = 5_000;

/** Twice as long each time, and not the same for everybody who lost the same server. */
export function pauseBefore(attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** attempt);
  return Math.round(longest * (0.5 + random() / 2));
}

export class Line {
  readonly state = signal<LineState>('opening');
  #socket: WebSocket | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #openedAt_ms = 0;

  constructor(readonly use: LineUse) {
    // The network is another one: what was open is most likely dead, and nobody would say so for a long time.
    globalThis.addEventListener?.('online', this.renew);
    this.#open();
  }

  /** False: it is not open, and nothing was sent. */
  send(message: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  sendBytes(bytes: ArrayBuffer): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(bytes);
    return true;
  }

  /** Opens a new one at once, whatever becomes of the old one. */
  readonly renew = (): void => {
    if (this.state.value === 'closed') return;
    this.#drop();
    this.state.value = 'broken';
    this.#open();
  };

  /** What was said is still sent. */
  close(): void {
    globalThis.removeEventListener?.('online', this.renew);
    this.state.value = 'closed';
    this.#drop();
  }

  #open(): void {
    const socket = new WebSocket(this.use.url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#openedAt_ms = performance.now();
      this.state.value = 'open';
      this.use.opened();
    };
    socket.onmessage = ({ data }) => {
      const message = typeof data === 'string' ? objectOf(data) : null;
      if (message) this.use.heard(message);
    };
    socket.onclose = () => this.#broke();
  }

  #broke(): void {
    if (this.state.value === 'open' && performance.now() - this.#openedAt_ms > STEADY_MS) this.#attempt = 0;
    this.#drop();
    this.state.value = 'broken';
    this.#timer = setTimeout(() => this.#open(), pauseBefore(this.#attempt++));
  }

  #drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** Where a door is: on the origin the page came from. What is empty is not said. */
export function doorUrl(path: string, query: Record<string, string | null>): string {
  const words = new URLSearchParams(Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1])));
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}?${words}`;
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' && message !== null && !Array.isArray(message) ? (message as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
