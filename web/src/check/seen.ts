/** What was observed, as plain data: no words, no judgement. It is what the report carries, so no secret and no address of the visitor is in it. */

import type { Ending } from '../lib/ending';
import type { MediaFailure } from '../lib/media';
import type { Browser } from './browser';

/** A way for media to the server. The first two need no relay. */
export type Way = 'udp' | 'tcp' | 'turn_udp' | 'turn_tcp' | 'turn_tls';
export const WAYS: readonly Way[] = ['udp', 'tcp', 'turn_udp', 'turn_tcp', 'turn_tls'];

export interface PageSeen {
  secure: boolean;
  webrtc: boolean;
  browser: Browser | null;
}

export type Permission = 'granted' | 'denied' | 'prompt' | 'unknown';

export interface DeviceSeen {
  /** How many the browser tells of. */
  count: number;
  permission: Permission;
  /** Not asked for yet, being asked for, or what came of it. */
  state: 'idle' | 'asking' | 'open' | MediaFailure;
}

export interface DevicesSeen {
  camera: DeviceSeen & { width: number; height: number };
  /** `silent`: open for a while, and not the least signal. */
  microphone: DeviceSeen & { heard: boolean; silent: boolean };
  speaker: { count: number; heard: boolean | null };
}

export interface HttpSeen {
  answered: boolean;
  rtt_ms: number | null;
}

/** Whether a room could be had at all. `needed`: the server wants an invitation, and there is none. */
export type AccessSeen = { state: 'open' } | { state: 'needed' } | { state: 'refused'; ending: Ending };

export interface SocketSeen {
  /** `blocked`: plain requests pass, the socket does not. */
  state: 'open' | 'refused' | 'blocked';
  open_ms: number | null;
  ending: Ending | null;
}

export interface StunSeen {
  /** `absent`: the server offers none. */
  state: 'answered' | 'silent' | 'absent';
  server: string;
  /** The server sees another address than this device has: there is a NAT between. Null: the browser does not tell its own. */
  translated: boolean | null;
}

export interface WaySeen {
  /** `unknown`: nothing was tried, for want of an answer of the server. */
  state: 'works' | 'fails' | 'absent' | 'unknown';
  /** Where it goes: host and port. */
  server: string;
  took_ms: number | null;
  /** What the browser says of a relay that failed: 401, 701, …; 0 when it says nothing. */
  code: number;
}

export interface Path {
  relayed: boolean;
  protocol: 'udp' | 'tcp' | 'tls';
}

export interface CallSeen {
  /** `unseen`: connected, and no picture came. `refused`: the server took no call, in its own words. */
  state: 'works' | 'unseen' | 'fails' | 'refused';
  sentence: string;
  path: Path | null;
  first_frame_ms: number | null;
  rtt_ms: number | null;
  /** 0…1, to the server and from it. Null: the browser does not tell. */
  loss_up: number | null;
  loss_down: number | null;
  jitter_ms: number | null;
  frames_sent: number;
  frames_shown: number;
  /** Whether the tone came; null: the browser sent none before somebody pressed. */
  tone: boolean | null;
  /** The page was out of sight for a while: pictures are then not painted. */
  hidden: boolean;
}

export interface BandwidthSeen {
  up_bps: number;
  down_bps: number;
  /** What was sent at most. */
  ceiling_bps: number;
  span_ms: number;
  /** The rate still grew when the time was over. */
  rising: boolean;
  /** What held the sender back, as it says itself. */
  limited: '' | 'cpu' | 'bandwidth';
}

export interface Seen {
  page: PageSeen;
  devices: DevicesSeen;
  http: HttpSeen | null;
  access: AccessSeen | null;
  socket: SocketSeen | null;
  stun: StunSeen | null;
  ways: Partial<Record<Way, WaySeen>>;
  call: CallSeen | null;
  bandwidth: BandwidthSeen | null;
}
