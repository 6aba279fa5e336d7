/** What the server offers to find a way through networks: read from `GET /turn`, sorted by kind. */

import type { Way } from './seen';

export interface Relay {
  urls: string[];
  username: string;
  credential: string;
}

export interface Offered {
  relays: Partial<Record<Way, Relay>>;
  /** A server to ask for one's own address: named as one, or a relay over UDP, which answers the same question. */
  stun: string[];
  /** Where media of the server itself is. */
  mediaPort: number | null;
}

export const NOTHING: Offered = { relays: {}, stun: [], mediaPort: null };

export function offeredBy(answer: unknown): Offered {
  const list = field(answer, 'iceServers');
  const port = field(answer, 'media_udp_port');
  const offered: Offered = { relays: {}, stun: [], mediaPort: typeof port === 'number' ? port : null };
  const implied: string[] = [];
  for (const server of Array.isArray(list) ? list : []) {
    const [username, credential] = [text(server, 'username'), text(server, 'credential')];
    for (const url of urlsOf(server)) {
      if (/^stuns?:/i.test(url)) offered.stun.push(url);
      const way = wayOf(url);
      if (way === null) continue;
      const relay = (offered.relays[way] ??= { urls: [], username, credential });
      relay.urls.push(url);
      if (way === 'turn_udp') implied.push(`stun:${addressOf(url)}`);
    }
  }
  if (offered.stun.length === 0) offered.stun = implied;
  return offered;
}

/**
 * As a connection to the server is configured that may use whatever there is. Over UDP not what has the port of its media: a browser that
 * knows a relay, or whom to ask for its address, takes nothing else from there.
 */
export function iceServers({ relays, stun, mediaPort }: Offered): RTCIceServer[] {
  const isApart = (url: string): boolean => mediaPort !== null && !addressOf(url).endsWith(`:${mediaPort}`);
  const asked = stun.filter(isApart);
  const { turn_udp: udp, ...others } = relays;
  const used: Relay[] = Object.values(others);
  const urls = udp?.urls.filter(isApart) ?? [];
  if (udp && urls.length > 0) used.unshift({ ...udp, urls });
  return [...(asked.length > 0 ? [{ urls: asked }] : []), ...used.map((relay) => ({ ...relay }))];
}

/** Host and port of a URL: what may be shown. */
export function addressOf(url: string): string {
  return url.replace(/^(stun|turn)s?:/i, '').replace(/\?.*$/, '');
}

function wayOf(url: string): Way | null {
  const match = /^(turns?):[^?]+(?:\?transport=(\w+))?$/i.exec(url);
  if (!match) return null;
  if (match[1]?.toLowerCase() === 'turns') return 'turn_tls';
  return match[2]?.toLowerCase() === 'tcp' ? 'turn_tcp' : 'turn_udp';
}

function urlsOf(server: unknown): string[] {
  const urls = field(server, 'urls');
  const all: unknown[] = Array.isArray(urls) ? urls : [urls];
  return all.filter((url): url is string => typeof url === 'string');
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
