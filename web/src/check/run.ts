/** One run of the check: what is tried, in which order, and what was seen of it so far. */

import { signal } from '@preact/signals';
import { fetchConfig, fetchSeat, Refused } from '../lib/api';
import { newRoomName } from '../lib/invite';
import { browserOf } from './browser';
import { askStun } from './gather';
import type { CheckId } from './judge';
import { Loopback } from './loopback';
import type { Seen, Way, WaySeen } from './seen';
import { WAYS } from './seen';
import { iceServers } from './servers';
import { askHttp, Stay } from './signalling';
import { tryWay } from './ways';

export interface Invited {
  room: string;
  token: string;
}

/** `asking`: somebody has to agree first. */
export type RunState = 'asking' | 'running' | 'done';

export function nothingSeen(): Seen {
  return {
    page: { secure: isSecureContext, webrtc: typeof RTCPeerConnection === 'function', browser: browserOf(navigator.userAgent) },
    devices: {
      camera: { count: 0, permission: 'unknown', state: 'idle', width: 0, height: 0 },
      microphone: { count: 0, permission: 'unknown', state: 'idle', heard: false, silent: false },
      speaker: { count: 0, heard: null },
    },
    http: null,
    access: null,
    socket: null,
    stun: null,
    ways: {},
    call: null,
    bandwidth: null,
  };
}

export class Run {
  readonly seen = signal<Seen>(nothingSeen());
  readonly state = signal<RunState>('running');
  /** What is being tried just now. */
  readonly now = signal<ReadonlySet<CheckId>>(new Set());
  readonly version = signal('');
  #isClosed = false;
  #open: Array<{ close(): void }> = [];

  constructor(readonly invited: Invited | null) {
    if (invited !== null && !isOwnRoom(invited.room)) this.state.value = 'asking';
  }

  async start(): Promise<void> {
    this.state.value = 'running';
    this.see({ http: null, access: null, socket: null, stun: null, ways: {}, call: null, bandwidth: null });
    try {
      await this.#network();
    } finally {
      this.#letGo();
      this.now.value = new Set();
      this.state.value = 'done';
    }
  }

  see(part: Partial<Seen>): void {
    // Read without following: whoever tells what it saw does not wait for it.
    this.seen.value = { ...this.seen.peek(), ...part };
  }

  close(): void {
    this.#isClosed = true;
    this.#letGo();
  }

  async #network(): Promise<void> {
    const { webrtc } = this.seen.value.page;
    const http = await this.#during(['http'], askHttp());
    this.see({ http });
    if (!http.answered) return;
    const place = await this.#during(['socket'], this.#place());
    if (place === null || this.#isClosed) return;
    const stay = this.#keep(new Stay(place.token));
    const socket = await this.#during(['socket'], stay.open());
    this.see({ socket });
    if (socket.state !== 'open' || !webrtc || this.#isClosed) return;
    const offered = await stay.offered();
    await inSight();
    const loopback = this.#keep(new Loopback({ ...place, rtc: { iceServers: iceServers(offered) } }));
    const [sending] = await Promise.all([
      this.#during(['call'], loopback.send()),
      this.#during(['stun'], askStun(offered.stun)).then((stun) => this.see({ stun })),
      ...WAYS.map((way) => this.#during([way], tryWay(way, offered, place.room, place.token)).then((seen) => this.#seeWay(way, seen))),
    ]);
    if (this.#isClosed) return;
    const call = await this.#during(['call', 'quality'], loopback.receive(sending));
    this.see({ call });
    if (call.state !== 'works' || this.#isClosed) return;
    this.see({ bandwidth: await this.#during(['bandwidth'], loopback.fill()) });
  }

  /** A room to try in, and the right to be there. Null: there is none, and it was seen why. */
  async #place(): Promise<Invited | null> {
    const config = await fetchConfig();
    this.version.value = config?.version ?? '';
    if (this.invited !== null) {
      this.see({ access: { state: 'open' } });
      return this.invited;
    }
    if (config && !config.dev) {
      this.see({ access: { state: 'needed' } });
      return null;
    }
    try {
      const { room, token } = await fetchSeat(`check-${newRoomName()}`, 'check', `check-${crypto.randomUUID()}`);
      this.see({ access: { state: 'open' } });
      return { room, token };
    } catch (error) {
      this.see({ access: { state: 'refused', ending: error instanceof Refused ? error.ending : 'unreachable' } });
      return null;
    }
  }

  #seeWay(way: Way, seen: WaySeen): void {
    this.see({ ways: { ...this.seen.value.ways, [way]: seen } });
  }

  async #during<T>(ids: readonly CheckId[], work: Promise<T>): Promise<T> {
    this.now.value = new Set([...this.now.value, ...ids]);
    try {
      return await work;
    } finally {
      this.now.value = new Set([...this.now.value].filter((id) => !ids.includes(id)));
    }
  }

  #keep<T extends { close(): void }>(it: T): T {
    this.#open.push(it);
    return it;
  }

  #letGo(): void {
    for (const it of this.#open.splice(0)) it.close();
  }
}

/** Made for checks: nobody is disturbed there. */
function isOwnRoom(room: string): boolean {
  return room.startsWith('check');
}

/** A page that nobody looks at paints nothing and is slowed down: it would find faults that are none. */
function inSight(): Promise<void> {
  if (document.visibilityState === 'visible') return Promise.resolve();
  return new Promise((seen) => {
    const look = (): void => {
      if (document.visibilityState !== 'visible') return;
      document.removeEventListener('visibilitychange', look);
      seen();
    };
    document.addEventListener('visibilitychange', look);
  });
}
