/** For tests: a browser's connection, and an endpoint of RFC 9725 that remembers what it was asked. */

import { vi } from 'vitest';

export class Connection {
  static all: Connection[] = [];
  static get open(): Connection[] {
    return Connection.all.filter(({ connectionState }) => connectionState !== 'closed');
  }

  connectionState: RTCPeerConnectionState = 'new';
  localDescription: RTCSessionDescriptionInit | null = null;
  remoteDescription: RTCSessionDescriptionInit | null = null;
  onicecandidate: ((event: { candidate: { candidate: string } | null }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  packets = 0;
  /** What was known when candidates were looked for. */
  servers: unknown[] = [];
  #ufrag = 0;

  constructor(public configuration: RTCConfiguration) {
    Connection.all.push(this);
  }

  get iceConnectionState(): string {
    return this.connectionState;
  }

  get currentRemoteDescription(): RTCSessionDescriptionInit | null {
    return this.remoteDescription;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }

  async createOffer({ iceRestart = false } = {}): Promise<RTCSessionDescriptionInit> {
    this.#alive();
    if (iceRestart) this.#ufrag++;
    return { type: 'offer', sdp: `v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:MINE${this.#ufrag}\r\na=ice-pwd:mine\r\n` };
  }

  async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.#alive();
    this.localDescription = description;
    this.servers = this.configuration.iceServers ?? [];
  }

  async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.#alive();
    this.remoteDescription = description;
  }

  async getStats(): Promise<Map<string, unknown>> {
    return new Map([['a', { type: 'inbound-rtp', packetsReceived: this.packets }], ['b', { type: 'transport' }]]);
  }

  close(): void {
    this.connectionState = 'closed';
  }

  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  #alive(): void {
    if (this.connectionState === 'closed') throw new DOMException('closed', 'InvalidStateError');
  }
}

interface Asked {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

const ANSWER = 'v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:HERS0\r\na=ice-pwd:hers\r\n';

/** Sessions at `https://host/whep/yard`, with a strict eye on entity tags. */
export class Endpoint {
  asked: Asked[] = [];
  sessions = new Map<string, { tag: string; restarts: number }>();
  link = '';
  /** Instead of a session. */
  refuse: (() => Response) | null = null;
  /** Answers when told so. */
  hold: Promise<void> = Promise.resolve();
  #count = 0;

  constructor() {
    vi.stubGlobal('fetch', (url: string, options: RequestInit) => this.#answer(new URL(url), options));
    vi.stubGlobal('RTCPeerConnection', Connection);
    Connection.all = [];
  }

  of(method: string): Asked[] {
    return this.asked.filter((asked) => asked.method === method);
  }

  async #answer(url: URL, { method = 'GET', headers = {}, body = '' }: RequestInit): Promise<Response> {
    const asked = { method, path: url.pathname, headers: headers as Record<string, string>, body: String(body ?? '') };
    this.asked.push(asked);
    await this.hold;
    if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { link: this.link } });
    if (method === 'POST') return this.refuse?.() ?? this.#open();
    const session = this.sessions.get(url.pathname);
    if (!session) return new Response('no such session', { status: 404 });
    if (method === 'DELETE') {
      this.sessions.delete(url.pathname);
      return new Response(null, { status: 200 });
    }
    return this.#patch(session, asked);
  }

  #open(): Response {
    const path = `/whep/yard/${++this.#count}`;
    const tag = `"${this.#count}-0"`;
    this.sessions.set(path, { tag, restarts: 0 });
    return new Response(ANSWER, { status: 201, headers: { location: path, etag: tag, link: this.link, 'content-type': 'application/sdp' } });
  }

  #patch(session: { tag: string; restarts: number }, { headers, body }: Asked): Response {
    if (headers['content-type'] !== 'application/trickle-ice-sdpfrag') return new Response('', { status: 415 });
    if (headers['if-match'] === '*') {
      session.tag = `"${++session.restarts}"`;
      const ours = ANSWER.replace('HERS0', `HERS${session.restarts}`).replace('v=0\r\n', '');
      return new Response(ours, { status: 200, headers: { etag: session.tag } });
    }
    const isCurrent = headers['if-match'] === session.tag && body.includes(`MINE${session.restarts}`);
    return new Response(null, { status: isCurrent ? 204 : 412 });
  }
}
