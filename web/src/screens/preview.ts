/** The camera and the microphone before the meeting: opened once, shown, and handed on to the room without asking again. */

import { signal } from '@preact/signals';
import { audioConstraints, type MediaFailure, mediaFailure, openTrack, videoConstraints } from '../lib/media';
import { type Meter, openMeter } from '../lib/meter';
import { devices } from '../prefs';
import { refreshDevices } from '../ui/devices';

type Kind = 'audio' | 'video';

export interface OpenTracks {
  audio: MediaStreamTrack | null;
  video: MediaStreamTrack | null;
}

export class Preview {
  readonly audio = signal<MediaStreamTrack | null>(null);
  readonly video = signal<MediaStreamTrack | null>(null);
  readonly failures = { audio: signal<MediaFailure | null>(null), video: signal<MediaFailure | null>(null) };
  readonly starting = signal(true);
  readonly level = signal(0);
  readonly facing = signal<'user' | 'environment'>('user');
  #meter: Meter | null = null;
  #closed = false;
  #started: Promise<void> = Promise.resolve();

  /** Asks for both at once, so that the browser asks the person once. */
  start(): Promise<void> {
    this.#started = this.#start();
    return this.#started;
  }

  /** Who knocks while the camera is still opening takes it along; but the browser may be asking, and nobody answers. */
  async settled(msMax: number): Promise<void> {
    await Promise.race([this.#started, new Promise((done) => setTimeout(done, msMax))]);
  }

  async #start(): Promise<void> {
    this.starting.value = true;
    try {
      await this.#openBoth();
    } finally {
      this.starting.value = false;
    }
    await refreshDevices();
  }

  async set(kind: Kind, on: boolean): Promise<void> {
    if (on) await this.#open(kind);
    else this.#drop(kind);
  }

  async choose(kind: Kind, deviceId: string): Promise<void> {
    (kind === 'audio' ? devices.microphone : devices.camera).value = deviceId;
    if (this[kind].value || this.failures[kind].value) await this.#open(kind);
  }

  async flip(): Promise<void> {
    this.facing.value = this.facing.value === 'user' ? 'environment' : 'user';
    this.#drop('video');
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { ...videoConstraints(''), facingMode: this.facing.value } });
      this.#take('video', stream.getVideoTracks()[0] ?? null);
    } catch (error) {
      this.failures.video.value = mediaFailure(error);
    }
  }

  /** Gives the tracks away; from now on they are the room's. */
  handOver(): OpenTracks {
    const tracks = { audio: this.audio.value, video: this.video.value };
    this.#meter?.stop();
    this.#meter = null;
    this.#closed = true;
    return tracks;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#drop('audio');
    this.#drop('video');
  }

  async #openBoth(): Promise<void> {
    try {
      if (!navigator.mediaDevices?.getUserMedia) throw new TypeError('getUserMedia is not available');
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: audioConstraints(devices.microphone.value),
        video: videoConstraints(devices.camera.value),
      });
      this.#take('audio', stream.getAudioTracks()[0] ?? null);
      this.#take('video', stream.getVideoTracks()[0] ?? null);
    } catch {
      // One of the two may still be there; each names its own cause.
      await this.#open('audio');
      await this.#open('video');
    }
  }

  async #open(kind: Kind): Promise<void> {
    this.#drop(kind);
    try {
      this.#take(kind, await openTrack(kind, (kind === 'audio' ? devices.microphone : devices.camera).value));
    } catch (error) {
      this.failures[kind].value = mediaFailure(error);
    }
  }

  #take(kind: Kind, track: MediaStreamTrack | null): void {
    // The page may have been left while the browser was asking.
    if (this.#closed) {
      track?.stop();
      return;
    }
    this.failures[kind].value = track ? null : 'missing';
    this[kind].value = track;
    if (kind === 'audio' && track) {
      this.#meter?.stop();
      this.#meter = openMeter(track, (level) => {
        this.level.value = level;
      });
    }
  }

  #drop(kind: Kind): void {
    this[kind].value?.stop();
    this[kind].value = null;
    this.failures[kind].value = null;
    if (kind === 'audio') {
      this.#meter?.stop();
      this.#meter = null;
      this.level.value = 0;
    }
  }
}
