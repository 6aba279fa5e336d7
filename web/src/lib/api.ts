/** The server's few plain questions. Everything else goes through the room's socket. */

import { type Ending, endingOfTokenRefusal } from './ending';

export interface Config {
  dev: boolean;
  version: string;
}

export interface Seat {
  token: string;
  identity: string;
  room: string;
}

/** A refusal with its remedy; `detail` is the server's own sentence. */
export class Refused extends Error {
  constructor(
    readonly ending: Ending,
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** `null` when the server does not answer: the page may come from elsewhere, or the server is down. */
export async function fetchConfig(): Promise<Config | null> {
  try {
    const answer = await fetch('/api/config');
    if (!answer.ok) return null;
    const body = (await answer.json()) as Partial<Config>;
    return { dev: body.dev === true, version: typeof body.version === 'string' ? body.version : '' };
  } catch {
    return null;
  }
}

export async function fetchSeat(room: string, name: string, identity: string): Promise<Seat> {
  let answer: Response;
  try {
    answer = await fetch('/api/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ room, name, identity }),
    });
  } catch (error) {
    throw new Refused('unreachable', String(error));
  }
  const body: unknown = await answer.json().catch(() => null);
  if (!answer.ok) {
    const { code, message } = refusal(body);
    throw new Refused(endingOfTokenRefusal(answer.status, code), message || `HTTP ${answer.status}`);
  }
  const seat = body as Partial<Seat> | null;
  if (typeof seat?.token !== 'string') throw new Refused('unreachable', 'The server’s answer was no token.');
  return { token: seat.token, identity: seat.identity ?? identity, room: seat.room ?? room };
}

/**
 * Asks the server in plain HTTP why it refused a socket: a browser's WebSocket hides the status, and the SDK passes on only some.
 * `null` when the answer names no refusal.
 */
export async function askWhyRefused(token: string): Promise<{ status: number; message: string } | null> {
  try {
    const answer = await fetch(`/rtc/validate?access_token=${encodeURIComponent(token)}`, { signal: AbortSignal.timeout(4_000) });
    if (answer.ok) return null;
    const text = await answer.text();
    return { status: answer.status, message: plainText(text).slice(0, 300) };
  } catch {
    return null;
  }
}

/** Where livekit-client connects: the origin the page came from. */
export function signalUrl(origin: { protocol: string; host: string }): string {
  return `${origin.protocol === 'https:' ? 'wss' : 'ws'}://${origin.host}`;
}

/** The sentence of an error, whether it came wrapped or plain. */
function plainText(text: string): string {
  try {
    const { code, message } = refusal(JSON.parse(text));
    return code || message ? `${code} ${message}`.trim() : text;
  } catch {
    return text;
  }
}

function refusal(body: unknown): { code: string; message: string } {
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : null;
  if (typeof error !== 'object' || error === null) return { code: '', message: '' };
  const { code, message } = error as Record<string, unknown>;
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' };
}
