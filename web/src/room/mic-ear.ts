/** Listens to one's own microphone for two friendly hints. */

import { signal } from '@preact/signals';
import { type Room, Track } from 'livekit-client';
import { type Meter, openMeter } from '../lib/meter';
import { type MicHint, MicWatch } from '../lib/mic';

export class MicEar {
  readonly hint = signal<MicHint>(null);
  #track: MediaStreamTrack | null = null;
  #meter: Meter | null = null;
  #watch = new MicWatch();
  #dismissed: MicHint = null;

  constructor(readonly room: Room) {}

  /** Called whenever something changed: another device is another track. */
  follow(): void {
    const track = this.room.localParticipant.getTrackPublication(Track.Source.Microphone)?.track?.mediaStreamTrack ?? null;
    if (track === this.#track) return;
    this.stop();
    this.#track = track;
    if (track === null || track.readyState === 'ended') return;
    this.#watch = new MicWatch();
    this.#meter = openMeter(track, (level, at_ms) => {
      const hint = this.#watch.push(at_ms, level, !this.room.localParticipant.isMicrophoneEnabled);
      if (hint === null) this.#dismissed = null;
      this.hint.value = hint === this.#dismissed ? null : hint;
    });
  }

  dismiss(): void {
    this.#dismissed = this.hint.value;
    this.hint.value = null;
  }

  stop(): void {
    this.#meter?.stop();
    this.#meter = null;
    this.#track = null;
    this.hint.value = null;
  }
}
