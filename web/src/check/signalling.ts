/** The server's plain answers and its socket for rooms, as LiveKit's SDKs open it: as far as a check needs them. */

import { askWhyRefused, signalUrl } from '../lib/api';
import { endingOfFailure } from '../lib/ending';
import type { HttpSeen, SocketSeen } from './seen';
import { NOTHING, type Offered, offeredBy } from './servers';
import { median } from './stats';

const ASKED = 6;
const ANSWER_MS_MAX = 5_000;
const SOCKET_MS_MAX = 8_000;
/** The server gives up a client that says nothing for longer. */
const PING_EVERY_MS = 5_000;
/** `SignalRequest` of the LiveKit protocol, as bytes: `ping = 1`, and `leave` for the reason that the client wishes so. */
const PING = new Uint8Array([0x70, 0x01]);
const LEAVE = new Uint8Array([0x42, 0x02, 0x10, 0x01]);

export async function askHttp(): Promise<HttpSeen> {
  const times: number[] = [];
  try {
    for (let index = 0; index < ASKED; index++) {
      const from_ms = performance.now();
      const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      await answer.text();
      if (!answer.ok) return { answered: false, rtt_ms: null };
      // The first one may have opened a connection.
      if (index > 0) times.push(performance.now() - from_ms);
    }
  } catch {
    return { answered: false, rtt_ms: null };
  }
  const rtt_ms = median(times);
  return { answered: true, rtt_ms: rtt_ms === null ? null : Math.round(rtt_ms) };
}

/** A stay in the room without media: whoever stays there is told what relays. */
export class Stay {
  #socket: WebSocket | null = null;
  #pings: ReturnType<typeof setInterval> | null = null;

  constructor(readonly token: string) {}

  async open(): Promise<SocketSeen> {
    const from_ms = performance.now();
    const query = new URLSearchParams({ access_token: this.token, protocol: '15', auto_subscribe: '0', sdk: 'js', version: '2.0.0' });
    const socket = new WebSocket(`${signalUrl(location)}/rtc?${query}`);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    const isIn = await new Promise<boolean>((settle) => {
      const timer = setTimeout(() => settle(false), SOCKET_MS_MAX);
      const done = (value: boolean): void => {
        clearTimeout(timer);
        settle(value);
      };
      socket.onmessage = () => done(true);
      socket.onclose = () => done(false);
    });
    if (isIn) {
      this.#pings = setInterval(() => this.#send(PING), PING_EVERY_MS);
      return { state: 'open', open_ms: Math.round(performance.now() - from_ms), ending: null };
    }
    this.close();
    const why = await askWhyRefused(this.token);
    if (why === null) return { state: 'blocked', open_ms: null, ending: null };
    return { state: 'refused', open_ms: null, ending: endingOfFailure({ kind: 'other', ...why }) };
  }

  /** What is relayed for who stays; nothing where the server says that it relays nothing. */
  async offered(): Promise<Offered> {
    try {
      const answer = await fetch('/turn', { cache: 'no-store', headers: { authorization: `Bearer ${this.token}` }, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      return answer.ok ? offeredBy(await answer.json()) : NOTHING;
    } catch {
      return NOTHING;
    }
  }

  close(): void {
    if (this.#pings !== null) clearInterval(this.#pings);
    this.#pings = null;
    this.#send(LEAVE);
    this.#socket?.close();
    this.#socket = null;
  }

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }
}
