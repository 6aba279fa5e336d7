/** One session at a WHIP or WHEP endpoint (RFC 9725; draft-ietf-wish-whep). */

import { absolute, type Link, readLinks } from './links';
import { afterOf, sentenceOf } from './outcome';

const ASK_MS_MAX = 15_000;

/** The endpoint answered, but not with a session. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly sentence: string,
    readonly after_ms: number,
  ) {
    super(sentence);
  }
}

export class Resource {
  #etag: string | null;
  #trickles = true;

  private constructor(
    readonly answer: string,
    readonly url: string | null,
    readonly links: readonly Link[],
    readonly token: string,
    etag: string | null,
  ) {
    this.#etag = etag;
  }

  static async open(endpoint: string, token: string, offer: string): Promise<Resource> {
    const response = await ask(endpoint, token, 'POST', 'application/sdp', offer);
    const text = await response.text();
    const { headers } = response;
    if (response.status !== 201) throw new Refused(response.status, sentenceOf(text), afterOf(headers.get('retry-after')));
    // Relative to where a redirect led.
    const from = response.url || endpoint;
    const location = headers.get('location');
    return new Resource(text, location && absolute(location, from), readLinks(headers.get('link'), from), token, headers.get('etag'));
  }

  /** The relays of an endpoint that names them only to who asks. */
  static async options(endpoint: string, token: string): Promise<Link[]> {
    const response = await ask(endpoint, token, 'OPTIONS').catch(() => null);
    return readLinks(response?.headers.get('link') ?? null, response?.url || endpoint);
  }

  async trickle(piece: string): Promise<void> {
    if (!this.url || !this.#trickles) return;
    // Not every server takes candidates one by one; those learn our address from our first packet.
    const response = await this.#patch(piece, this.#etag).catch(() => null);
    if (response && response.status > 299 && response.status !== 412) this.#trickles = false;
  }

  /** The server's piece. An exception: it has to be done anew. */
  async restart(piece: string): Promise<string> {
    const response = await this.#patch(piece, '*');
    if (response.status !== 200) throw new Refused(response.status, '', 0);
    this.#etag = response.headers.get('etag') ?? this.#etag;
    return response.text();
  }

  /** Also while the page goes away. */
  close(): void {
    if (this.url) ask(this.url, this.token, 'DELETE').catch(() => undefined);
  }

  #patch(piece: string, match: string | null): Promise<Response> {
    if (!this.url) throw new Refused(0, '', 0);
    return ask(this.url, this.token, 'PATCH', 'application/trickle-ice-sdpfrag', piece, match ? { 'if-match': match } : {});
  }
}

export function ask(url: string, token: string, method: string, kind = '', body?: string, more: Record<string, string> = {}): Promise<Response> {
  const headers: Record<string, string> = { ...more };
  if (token) headers.authorization = `Bearer ${token}`;
  if (kind) headers['content-type'] = kind;
  return fetch(url, { method, headers, body, keepalive: method === 'DELETE', signal: AbortSignal.timeout(ASK_MS_MAX) });
}
