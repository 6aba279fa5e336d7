/** A call with oneself by way of the server: one connection sends, another receives what was sent. */

import { Connection, type Outcome } from './connect';
import type { BandwidthSeen, CallSeen } from './seen';
import { Source } from './source';
import { bestRate, isRising, lossIn, lossOut, median, type Sample, sampleOf } from './stats';

const CONNECT_MS_MAX = 12_000;
const FRAME_MS_MAX = 8_000;
const WATCH_MS = 4_000;
const PINGS = 15;
const PING_EVERY_MS = 150;
const FILL_MS = 5_000;
const FILL_SAMPLE_MS = 250;
const FILL_SPAN_MS = 2_000;
/** More would say more of the machine than of the line: the picture is encoded and decoded here. */
const CEILING_BPS = 3_000_000;

export interface Place {
  room: string;
  token: string | null;
  rtc: RTCConfiguration;
}

export class Loopback {
  #source: Source | null = null;
  #sender: Connection | null = null;
  #receiver: Connection | null = null;
  #pings: RTCDataChannel | null = null;
  readonly #screen = document.createElement('video');
  #shown = 0;
  #hidden = false;

  constructor(readonly place: Place) {}

  /** The sending half. Whoever receives can be answered from then on, also if nothing arrives yet. */
  async send(): Promise<Outcome> {
    const source = await Source.open();
    this.#source = source;
    const sender = new Connection({
      role: 'presenter',
      ...this.place,
      prepare: (pc) => {
        if (source.audio) pc.addTransceiver(source.audio, { direction: 'sendonly' });
        keepSize(pc.addTransceiver(source.video, { direction: 'sendonly', sendEncodings: [{ maxBitrate: CEILING_BPS }] }).sender);
        this.#pings = pc.createDataChannel('check');
      },
    });
    this.#sender = sender;
    return sender.open(CONNECT_MS_MAX);
  }

  /** The receiving half, and what both say of the way. */
  async receive(sending: Outcome): Promise<CallSeen> {
    const seen: CallSeen = { state: 'fails', sentence: '', path: null, first_frame_ms: null, rtt_ms: null, loss_up: null, loss_down: null, jitter_ms: null, frames_sent: 0, frames_shown: 0, tone: null, hidden: false };
    if (sending === 'refused') return { ...seen, state: 'refused', sentence: this.#sender?.sentence ?? '' };
    if (sending !== 'connected') return seen;
    const from_ms = performance.now();
    const first = this.#firstFrame();
    const outcome = await this.#openReceiver();
    if (outcome === 'refused') return { ...seen, state: 'refused', sentence: this.#receiver?.sentence ?? '' };
    if (outcome !== 'connected') return seen;
    if (!(await Promise.race([first.then(() => true), pause(FRAME_MS_MAX).then(() => false)]))) return { ...seen, state: 'unseen' };
    seen.first_frame_ms = Math.round(performance.now() - from_ms);
    const watchHidden = (): void => void (this.#hidden ||= document.hidden);
    document.addEventListener('visibilitychange', watchHidden);
    this.#hidden = document.hidden;
    const [before, shownBefore] = [await this.#samples(), this.#shown];
    const [rtt_ms] = await Promise.all([this.#roundTrip(), pause(WATCH_MS)]);
    const after = await this.#samples();
    document.removeEventListener('visibilitychange', watchHidden);
    return {
      ...seen,
      state: 'works',
      path: after.out.path ?? after.in.path,
      rtt_ms,
      loss_up: lossOut(before.out, after.out),
      loss_down: lossIn(before.in, after.in),
      jitter_ms: Math.round(after.in.jitter_ms),
      frames_sent: after.out.frames_out - before.out.frames_out,
      frames_shown: this.#shown - shownBefore || after.in.frames_in - before.in.frames_in,
      tone: this.#source?.audio ? this.#source.hears() : null,
      hidden: this.#hidden,
    };
  }

  /** Fills the line with a picture that cannot be made small, for a few seconds. */
  async fill(): Promise<BandwidthSeen> {
    if (this.#source) this.#source.isNoise = true;
    const up: Array<{ at_ms: number; bytes: number }> = [];
    const down: Array<{ at_ms: number; bytes: number }> = [];
    const from_ms = performance.now();
    let limited: BandwidthSeen['limited'] = '';
    const first = await this.#samples();
    let last = first;
    while (performance.now() - from_ms < FILL_MS) {
      up.push({ at_ms: last.out.at_ms, bytes: last.out.bytes_out });
      down.push({ at_ms: last.in.at_ms, bytes: last.in.bytes_in });
      limited = last.out.limited || limited;
      await pause(FILL_SAMPLE_MS);
      last = await this.#samples();
    }
    // What was lost on its way was sent, and did not get through.
    const through = 1 - (lossOut(first.out, last.out) ?? 0);
    return { up_bps: Math.round(bestRate(up, FILL_SPAN_MS) * through), down_bps: bestRate(down, FILL_SPAN_MS), rising: isRising(up, FILL_SPAN_MS), ceiling_bps: CEILING_BPS, span_ms: FILL_MS, limited };
  }

  close(): void {
    this.#receiver?.close();
    this.#sender?.close();
    this.#source?.close();
    this.#screen.srcObject = null;
  }

  #openReceiver(): Promise<Outcome> {
    const receiver = new Connection({
      role: 'viewer',
      ...this.place,
      prepare: (pc) => {
        const stream = new MediaStream();
        pc.addEventListener('track', ({ track }) => {
          stream.addTrack(track);
          if (track.kind === 'audio') this.#source?.listen(track);
          this.#screen.srcObject = stream;
          // Silent, but played: a browser does not decode what nobody plays.
          this.#screen.muted = true;
          void this.#screen.play().catch(() => undefined);
        });
        pc.addTransceiver('audio', { direction: 'recvonly' });
        pc.addTransceiver('video', { direction: 'recvonly' });
        // What was stamped when it was sent comes back as it is.
        pc.createDataChannel('check').addEventListener('message', ({ data }) => this.#back(String(data)));
      },
    });
    this.#receiver = receiver;
    return receiver.open(CONNECT_MS_MAX);
  }

  #firstFrame(): Promise<void> {
    const screen = this.#screen;
    return new Promise((seen) => {
      if (!('requestVideoFrameCallback' in screen)) {
        (screen as HTMLVideoElement).addEventListener('loadeddata', () => seen(), { once: true });
        return;
      }
      const count = (): void => {
        this.#shown++;
        seen();
        screen.requestVideoFrameCallback(count);
      };
      screen.requestVideoFrameCallback(count);
    });
  }

  #trips: number[] = [];

  #back(data: string): void {
    const sent_ms = Number(data);
    if (Number.isFinite(sent_ms)) this.#trips.push(performance.now() - sent_ms);
  }

  async #roundTrip(): Promise<number | null> {
    for (let index = 0; index < PINGS; index++) {
      if (this.#pings?.readyState === 'open') this.#pings.send(String(performance.now()));
      await pause(PING_EVERY_MS);
    }
    const trip = median(this.#trips);
    return trip === null ? null : Math.round(trip);
  }

  async #samples(): Promise<{ out: Sample; in: Sample }> {
    const [out, into] = await Promise.all([this.#sender, this.#receiver].map((connection) => connection?.sample() ?? sampleOf([])));
    return { out: out ?? sampleOf([]), in: into ?? sampleOf([]) };
  }
}

/** A smaller picture has a lower ceiling of the browser's own, and the line would be blamed for it. */
function keepSize(sender: RTCRtpSender): void {
  const parameters = { ...sender.getParameters(), degradationPreference: 'maintain-resolution' as const };
  void sender.setParameters(parameters).catch(() => undefined);
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
