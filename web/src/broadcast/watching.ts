/** A broadcast from a viewer's side, as signals. It waits for the presenter, and comes back by itself when anything breaks. */

import { effect, signal } from '@preact/signals';
import type { StatsSample } from '../lib/stats';
import { doorUrl, Line } from '../p2p/line';
import { Peer } from '../p2p/peer';
import { Pulse } from '../p2p/pulse';
import { readMessage, type Refusal, refusalOf } from './words';

/** `stopped`: there was a broadcast, and there may be another. */
export type WatchState = 'opening' | 'waiting' | 'starting' | 'live' | 'stopped' | 'refused';

/** One without a picture may be one with a lost packet. */
const BLANK_SECONDS = 2;
const AGAIN_AFTER_MS = 5_000;
const RENEW_AFTER_MS = 12_000;

export class Watching {
  readonly state = signal<WatchState>('opening');
  readonly refusal = signal<{ why: Refusal; sentence: string } | null>(null);
  readonly stream = signal<MediaStream | null>(null);
  readonly viewers = signal(0);
  /** Sound comes, and no picture: the presenter has switched the camera off. */
  readonly isBlank = signal(false);
  /** Our own line, or the way of the picture. */
  readonly trouble = signal<'own' | 'stalled' | null>(null);
  readonly pulse: Pulse;
  readonly #line: Line;
  #peer: Peer | null = null;
  #hadOne = false;
  #triedAt_ms = 0;
  #blankFor = 0;
  readonly #stops: Array<() => void>;

  constructor(
    readonly room: string,
    readonly token: string | null,
  ) {
    this.pulse = new Pulse(
      () => this.#peer?.pc ?? null,
      () => this.state.peek() === 'live',
    );
    this.#line = new Line({
      url: doorUrl('/one2many', { room, count: '1', wait: '1', access_token: token }),
      opened: () => void this.#view(),
      heard: (message) => this.#heard(message),
    });
    this.#stops = [
      effect(() => {
        this.#look(this.pulse.sample.value);
        this.#judge(this.#line.state.value, this.pulse.silent_ms.value);
      }),
    ];
  }

  /** The first picture is on the screen. */
  shown(): void {
    if (this.#peer && this.state.value === 'starting') {
      this.state.value = 'live';
      this.#hadOne = true;
    }
  }

  again(): void {
    this.refusal.value = null;
    this.state.value = 'opening';
    this.#line.renew();
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.pulse.stop();
    this.#drop();
    this.#line.close();
  }

  async #view(): Promise<void> {
    this.#drop();
    const peer = new Peer((candidate) => void this.#line.send({ id: 'onIceCandidate', candidate: candidate.toJSON() }));
    this.#peer = peer;
    const stream = new MediaStream();
    peer.pc.ontrack = ({ track }) => {
      stream.addTrack(track);
      this.stream.value = stream;
    };
    peer.state.subscribe((state) => {
      if (this.#peer === peer && state === 'failed') void this.#view();
    });
    for (const kind of ['audio', 'video'] as const) peer.pc.addTransceiver(kind, { direction: 'recvonly' });
    const sdpOffer = await peer.offer();
    if (this.#peer === peer) this.#line.send({ id: 'viewer', sdpOffer });
  }

  #heard(said: Record<string, unknown>): void {
    const message = readMessage(said);
    switch (message?.id) {
      case 'accepted':
        this.state.value = 'starting';
        void this.#peer?.accept('answer', message.sdp).catch((error: unknown) => this.#refused('other', String(error)));
        return;
      case 'candidate':
        void this.#peer?.candidate(message.candidate);
        return;
      case 'viewers':
        this.viewers.value = message.count;
        return;
      case 'waiting':
        this.state.value = this.#hadOne ? 'stopped' : 'waiting';
        return;
      case 'stopped':
        this.state.value = 'stopped';
        void this.#view();
        return;
      case 'rejected': {
        const why = refusalOf(message.sentence);
        if (why === 'again') this.#line.renew();
        else this.#refused(why, message.sentence);
        return;
      }
      case undefined:
        return;
    }
  }

  #refused(why: Refusal, sentence: string): void {
    this.#drop();
    this.refusal.value = { why, sentence };
    this.state.value = 'refused';
  }

  #judge(line: string, silent_ms: number): void {
    this.trouble.value = line === 'broken' ? 'own' : this.pulse.isStalled ? 'stalled' : null;
    const now_ms = performance.now();
    if (line !== 'open' || silent_ms < AGAIN_AFTER_MS || now_ms - this.#triedAt_ms < AGAIN_AFTER_MS) return;
    this.#triedAt_ms = now_ms;
    if (silent_ms >= RENEW_AFTER_MS) this.#line.renew();
    else void this.#view();
  }

  #look(sample: StatsSample | null): void {
    const bps = (kind: 'audio' | 'video'): number => sample?.rows.find((row) => row.direction === 'in' && row.kind === kind)?.bitrate_bps ?? 0;
    const isBlank = this.state.peek() === 'live' && bps('video') === 0 && bps('audio') > 0;
    this.#blankFor = isBlank ? this.#blankFor + 1 : 0;
    this.isBlank.value = this.#blankFor >= BLANK_SECONDS;
  }

  #drop(): void {
    this.#peer?.close();
    this.#peer = null;
    this.stream.value = null;
  }
}
