/** Camera, microphone and speaker: what the browser tells without being asked, and what they do once somebody pressed. */

import { effect } from '@preact/signals';
import { MicWatch } from '../lib/mic';
import { Preview } from '../screens/preview';
import type { Run } from './run';
import type { DevicesSeen, Permission } from './seen';

/** Of root mean square: louder than a quiet room. */
const HEARD_LEVEL = 0.008;
const LISTEN_EVERY_MS = 100;

export class Devices {
  readonly preview = new Preview();
  readonly #run: Run;
  #wasAsked = false;
  #watch = new MicWatch();
  readonly #stops: Array<() => void> = [];

  constructor(run: Run) {
    this.#run = run;
    const list = (): void => void this.#list();
    list();
    navigator.mediaDevices?.addEventListener?.('devicechange', list);
    this.#stops.push(() => navigator.mediaDevices?.removeEventListener?.('devicechange', list));
    this.#stops.push(effect(() => this.#follow()));
    // Not by its changes: a level that stays at nothing is what is looked for.
    const timer = setInterval(() => this.#listen(this.preview.level.peek()), LISTEN_EVERY_MS);
    this.#stops.push(() => clearInterval(timer));
  }

  async start(): Promise<void> {
    this.#wasAsked = true;
    this.#watch = new MicWatch();
    this.#see('microphone', { state: 'asking', heard: false, silent: false });
    this.#see('camera', { state: 'asking', width: 0, height: 0 });
    await this.preview.start();
    await this.#list();
  }

  /** The picture is there. */
  shows(width: number, height: number): void {
    this.#see('camera', { width, height });
  }

  heardTone(heard: boolean): void {
    this.#see('speaker', { heard });
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.preview.close();
  }

  #follow(): void {
    const { starting, failures, audio, video } = this.preview;
    const microphone = failures.audio.value ?? (audio.value ? 'open' : 'idle');
    const camera = failures.video.value ?? (video.value ? 'open' : 'idle');
    if (starting.value || !this.#wasAsked) return;
    this.#see('microphone', { state: microphone });
    this.#see('camera', { state: camera });
  }

  #listen(level: number): void {
    const { microphone } = this.#run.seen.peek().devices;
    if (microphone.state !== 'open' || microphone.heard) return;
    const hint = this.#watch.push(performance.now(), level, false);
    const silent = hint === 'no_signal';
    if (level > HEARD_LEVEL || silent !== microphone.silent) this.#see('microphone', { heard: level > HEARD_LEVEL, silent });
  }

  async #list(): Promise<void> {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const count = (kind: MediaDeviceKind): number => all.filter((device) => device.kind === kind).length;
    const [camera, microphone] = await Promise.all([permission('camera'), permission('microphone')]);
    this.#see('camera', { count: count('videoinput'), permission: camera });
    this.#see('microphone', { count: count('audioinput'), permission: microphone });
    this.#see('speaker', { count: count('audiooutput') });
  }

  #see<Kind extends keyof DevicesSeen>(kind: Kind, part: Partial<DevicesSeen[Kind]>): void {
    const { devices } = this.#run.seen.peek();
    this.#run.see({ devices: { ...devices, [kind]: { ...devices[kind], ...part } } });
  }
}

/** Not every browser answers that for these two. */
async function permission(name: 'camera' | 'microphone'): Promise<Permission> {
  try {
    const { state } = await navigator.permissions.query({ name: name as PermissionName });
    return state;
  } catch {
    return 'unknown';
  }
}
