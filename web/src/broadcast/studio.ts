/** A broadcast from its presenter's side, as signals. */

import { computed, effect, signal } from '@preact/signals';
import { doorUrl, Line } from '../p2p/line';
import { Peer } from '../p2p/peer';
import { Pulse } from '../p2p/pulse';
import { seatKey } from '../p2p/seat';
import type { Preview } from '../screens/preview';
import { startingAt } from './start-rate';
import { readMessage, type Refusal, refusalOf } from './words';

/** `broken`: it was live, and is being mended. */
export type StudioState = 'ready' | 'starting' | 'live' | 'broken';

export const CEILINGS_BPS = [0, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000] as const;
/** Enough for a picture of full size, and not too much for a network of today. */
const START_KBPS = 1_200;
/** A minute of bit rates, one for each second. */
const HISTORY_MAX = 60;
/** The server answers what it gets several times a second. */
const RENEW_AFTER_MS = 6_000;

export class Studio {
  readonly state = signal<StudioState>('ready');
  readonly refusal = signal<{ why: Refusal; sentence: string } | null>(null);
  readonly viewers = signal(0);
  /** 0: as the browser finds right. */
  readonly ceiling_bps = signal(0);
  readonly screen = signal<MediaStreamTrack | null>(null);
  readonly micOn = signal(true);
  /** What the viewers see. */
  readonly picture = computed(() => this.screen.value ?? this.preview.video.value);
  readonly history = signal<readonly number[]>([]);
  readonly live_ms = signal(0);
  /** How long the last broadcast was. */
  readonly lasted_ms = signal<number | null>(null);
  readonly pulse: Pulse;
  #line: Line | null = null;
  #peer: Peer | null = null;
  #sender: RTCRtpSender | null = null;
  #liveSince_ms = 0;
  #renewedAt_ms = 0;
  #stops: Array<() => void> = [];

  constructor(
    readonly room: string,
    readonly token: string | null,
    readonly preview: Preview,
  ) {
    this.pulse = new Pulse(
      () => this.#peer?.pc ?? null,
      () => this.#peer?.state.peek() === 'connected',
    );
    window.__madang = { studio: this };
    this.#stops.push(
      effect(() => this.#beat()),
      effect(() => this.#limit(this.ceiling_bps.value)),
      effect(() => {
        const track = this.preview.audio.value;
        if (track) track.enabled = this.micOn.value;
      }),
    );
  }

  get isOn(): boolean {
    return this.state.value !== 'ready';
  }

  start(): void {
    if (this.#line) return;
    this.refusal.value = null;
    this.lasted_ms.value = null;
    this.history.value = [];
    this.viewers.value = 0;
    this.#liveSince_ms = 0;
    this.live_ms.value = 0;
    this.state.value = 'starting';
    const query = { room: this.room, count: '1', seat: seatKey(`studio@${this.room}`), access_token: this.token };
    const line = new Line({ url: doorUrl('/one2many', query), opened: () => void this.#present(false), heard: (message) => this.#heard(message) });
    line.state.subscribe((state) => {
      if (state === 'broken' && this.#line === line && this.state.peek() === 'live') this.state.value = 'broken';
    });
    this.#line = line;
  }

  stop(): void {
    this.#line?.send({ id: 'stop' });
    if (this.#liveSince_ms > 0) this.lasted_ms.value = performance.now() - this.#liveSince_ms;
    this.#hangUp();
  }

  async setMic(on: boolean): Promise<void> {
    if (on && !this.preview.audio.value) await this.preview.set('audio', true);
    this.micOn.value = on && this.preview.audio.value !== null;
  }

  /** False: refused, or the person thought better of it. */
  async shareScreen(): Promise<boolean> {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: true });
      const track = stream.getVideoTracks()[0];
      if (!track) return false;
      // Letters before motion.
      track.contentHint = 'detail';
      track.onended = () => this.unshareScreen();
      this.screen.value = track;
      return true;
    } catch {
      return false;
    }
  }

  unshareScreen(): void {
    this.screen.value?.stop();
    this.screen.value = null;
  }

  close(): void {
    if (this.#line) this.stop();
    for (const stop of this.#stops.splice(0)) stop();
    this.pulse.stop();
    this.unshareScreen();
    this.preview.close();
  }

  async #present(isAgain: boolean): Promise<void> {
    if (isAgain) this.#line?.send({ id: 'stop' });
    this.#peer?.close();
    const peer = new Peer((candidate) => void this.#line?.send({ id: 'onIceCandidate', candidate: candidate.toJSON() }));
    this.#peer = peer;
    peer.state.subscribe((state) => {
      if (this.#peer !== peer) return;
      if (state === 'connected') this.#isLive();
      else if (state === 'failed') void this.#present(true);
    });
    peer.feed(peer.pc.addTransceiver('audio', { direction: 'sendonly' }).sender, this.preview.audio);
    this.#sender = peer.pc.addTransceiver('video', { direction: 'sendonly' }).sender;
    peer.feed(this.#sender, this.picture);
    const sdpOffer = await peer.offer();
    if (this.#peer === peer) this.#line?.send({ id: 'presenter', sdpOffer });
  }

  #heard(said: Record<string, unknown>): void {
    const message = readMessage(said);
    const peer = this.#peer;
    switch (message?.id) {
      case 'accepted':
        void peer?.accept('answer', startingAt(message.sdp, startKbps(this.ceiling_bps.peek()))).then(() => this.#limit(this.ceiling_bps.peek()), (error: unknown) => this.#refused('other', String(error)));
        return;
      case 'candidate':
        void peer?.candidate(message.candidate);
        return;
      case 'viewers':
        this.viewers.value = message.count;
        return;
      case 'rejected': {
        const why = refusalOf(message.sentence);
        if (why === 'again') this.#line?.renew();
        else this.#refused(why, message.sentence);
        return;
      }
      case 'stopped':
      case 'waiting':
      case undefined:
        return;
    }
  }

  #isLive(): void {
    if (this.#liveSince_ms === 0) this.#liveSince_ms = performance.now();
    this.state.value = 'live';
    this.#limit(this.ceiling_bps.peek());
  }

  #refused(why: Refusal, sentence: string): void {
    this.refusal.value = { why, sentence };
    this.#hangUp();
  }

  #hangUp(): void {
    const line = this.#line;
    this.#line = null;
    line?.close();
    this.#peer?.close();
    this.#peer = this.#sender = null;
    this.state.value = 'ready';
  }

  #beat(): void {
    const sample = this.pulse.sample.value;
    const silent_ms = this.pulse.silent_ms.value;
    if (this.state.peek() === 'ready') return;
    if (this.#liveSince_ms > 0) this.live_ms.value = performance.now() - this.#liveSince_ms;
    if (sample) this.history.value = [...this.history.peek(), sample.sent_bps].slice(-HISTORY_MAX);
    if (silent_ms >= RENEW_AFTER_MS && performance.now() - this.#renewedAt_ms > RENEW_AFTER_MS) {
      this.#renewedAt_ms = performance.now();
      this.state.value = 'broken';
      this.#line?.renew();
    }
  }

  #limit(ceiling_bps: number): void {
    const sender = this.#sender;
    const parameters = sender?.getParameters();
    const encoding = parameters?.encodings[0];
    if (!sender || !parameters || !encoding) return;
    if (ceiling_bps > 0) encoding.maxBitrate = ceiling_bps;
    else delete encoding.maxBitrate;
    void sender.setParameters(parameters).catch(() => undefined);
  }
}

function startKbps(ceiling_bps: number): number {
  return ceiling_bps > 0 ? Math.min(START_KBPS, ceiling_bps / 1_000) : START_KBPS;
}
