/** From what was seen to verdicts. Pure: what a verdict says, in words, is in `words-en.ts` and `words-ko.ts` under its code. */

import { bitrate, percent } from '../lib/format';
import type { BandwidthSeen, CallSeen, DeviceSeen, Seen, Way, WaySeen } from './seen';
import { WAYS } from './seen';
import type { Code } from './words-en';

/** `neutral`: not asked for, or not offered here; nobody's fault. */
export type Verdict = 'ok' | 'limits' | 'fault' | 'neutral';

export type CheckId = 'page' | 'browser' | 'camera' | 'microphone' | 'speaker' | 'http' | 'socket' | 'stun' | Way | 'call' | 'quality' | 'bandwidth';

export interface Finding {
  id: CheckId;
  verdict: Verdict;
  /** What is said of it; `values` are put into the words. */
  code: Code;
  values: readonly string[];
}

export interface Summary {
  tone: Verdict;
  code: 'ready' | 'network' | 'limits' | 'fault' | 'unheard' | 'needed';
  /** What to look at first. */
  first: Finding | null;
}

const RTT_MS_GOOD = 300;
const HTTP_MS_GOOD = 800;
const LOSS_GOOD = 0.02;
const LOSS_BEARABLE = 0.1;
const JITTER_MS_GOOD = 40;
const FRAMES_GOOD = 0.6;
const FIRST_FRAME_MS_GOOD = 4_000;
/** A picture of full size, and one that can be recognised. */
const BPS_GOOD = 1_000_000;
const BPS_BEARABLE = 250_000;

/** What is known so far, in the order of the page. */
export function judge(seen: Seen): Finding[] {
  const found = [page(seen), browser(seen), camera(seen), microphone(seen), speaker(seen), http(seen), socket(seen), stun(seen), ...WAYS.map((way) => wayOf(way, seen)), call(seen), quality(seen.call), bandwidth(seen.bandwidth)];
  return found.filter((finding) => finding !== null);
}

/** In the order in which one should mend it: what is first is likely the cause of what follows. */
const WEIGHT: readonly CheckId[] = ['page', 'http', 'socket', 'udp', 'call', 'microphone', 'camera', 'browser', 'quality', 'bandwidth', 'speaker'];

export function summarise(seen: Seen): Summary {
  const findings = judge(seen);
  const weighed = WEIGHT.map((id) => findings.find((finding) => finding.id === id)).filter((finding) => finding !== undefined);
  const fault = weighed.find(({ verdict }) => verdict === 'fault');
  // Who has no microphone is in the call all the same.
  if (fault) return { tone: 'fault', code: fault.id === 'microphone' ? 'unheard' : 'fault', first: fault };
  if (seen.access?.state === 'needed') return { tone: 'neutral', code: 'needed', first: null };
  const limits = weighed.find(({ verdict }) => verdict === 'limits');
  if (limits) return { tone: 'limits', code: 'limits', first: limits };
  const { camera, microphone } = seen.devices;
  const isReady = camera.state === 'open' && microphone.state === 'open' && microphone.heard;
  return { tone: 'ok', code: isReady ? 'ready' : 'network', first: null };
}

function page({ page: seen }: Seen): Finding {
  if (!seen.secure) return finding('page', 'fault', 'page_insecure');
  return seen.webrtc ? finding('page', 'ok', 'page_ok') : finding('page', 'fault', 'page_no_webrtc');
}

function browser({ page: seen }: Seen): Finding {
  if (!seen.browser) return finding('browser', 'neutral', 'browser_unknown');
  const { name, version, isOld } = seen.browser;
  return finding('browser', isOld ? 'limits' : 'ok', isOld ? 'browser_old' : 'browser_ok', name, version);
}

function camera({ devices }: Seen): Finding | null {
  const early = device('camera', devices.camera, 'limits');
  if (early !== 'open') return early;
  const { width, height } = devices.camera;
  return width > 0 ? finding('camera', 'ok', 'camera_ok', `${width} × ${height}`) : null;
}

function microphone({ devices }: Seen): Finding | null {
  const early = device('microphone', devices.microphone, 'fault');
  if (early !== 'open') return early;
  if (devices.microphone.heard) return finding('microphone', 'ok', 'microphone_ok');
  return devices.microphone.silent ? finding('microphone', 'limits', 'microphone_silent') : finding('microphone', 'neutral', 'microphone_quiet');
}

/** What holds for both, until it is open. Who has no camera can still be heard. */
function device(id: 'camera' | 'microphone', seen: DeviceSeen, failed: Verdict): Finding | null | 'open' {
  if (seen.state === 'open') return 'open';
  if (seen.state === 'asking') return null;
  if (seen.state !== 'idle') return finding(id, failed, `device_${seen.state}`);
  if (seen.permission === 'denied') return finding(id, failed, 'device_blocked');
  return finding(id, 'neutral', seen.permission === 'granted' ? 'device_allowed' : 'device_idle');
}

function speaker({ devices }: Seen): Finding {
  if (devices.speaker.heard === null) return finding('speaker', 'neutral', 'speaker_idle');
  return devices.speaker.heard ? finding('speaker', 'ok', 'speaker_ok') : finding('speaker', 'limits', 'speaker_unheard');
}

function http({ http: seen }: Seen): Finding | null {
  if (!seen) return null;
  if (!seen.answered || seen.rtt_ms === null) return finding('http', 'fault', 'http_silent');
  return finding('http', seen.rtt_ms <= HTTP_MS_GOOD ? 'ok' : 'limits', seen.rtt_ms <= HTTP_MS_GOOD ? 'http_ok' : 'http_slow', ms(seen.rtt_ms));
}

function socket({ socket: seen, access }: Seen): Finding | null {
  if (access?.state === 'needed') return finding('socket', 'neutral', 'needs_invitation');
  if (access?.state === 'refused') return finding('socket', 'fault', 'socket_refused', access.ending);
  if (!seen) return null;
  if (seen.state === 'open') return finding('socket', 'ok', 'socket_ok', ms(seen.open_ms ?? 0));
  return seen.state === 'blocked' ? finding('socket', 'fault', 'socket_blocked') : finding('socket', 'fault', 'socket_refused', seen.ending ?? 'unreachable');
}

function stun({ stun: seen }: Seen): Finding | null {
  if (!seen) return null;
  if (seen.state === 'absent') return finding('stun', 'neutral', 'not_offered');
  if (seen.state === 'silent') return finding('stun', 'limits', 'stun_silent', seen.server);
  if (seen.translated === null) return finding('stun', 'ok', 'stun_answers', seen.server);
  return finding('stun', 'ok', seen.translated ? 'stun_translated' : 'stun_same', seen.server);
}

function wayOf(way: Way, seen: Seen): Finding | null {
  const tried = seen.ways[way];
  if (!tried || tried.state === 'unknown') return null;
  if (tried.state === 'absent') return finding(way, 'neutral', way !== 'turn_udp' && isShut(seen) ? 'not_offered_missed' : 'not_offered');
  if (tried.state === 'works') return finding(way, 'ok', 'way_works', tried.server, ms(tried.took_ms ?? 0));
  if (way === 'udp') return udpFails(tried, seen);
  if (tried.code === 401) return finding(way, 'limits', 'relay_refused', tried.server);
  if (seen.ways.udp?.state === 'fails') return finding(way, 'limits', 'fails_too', tried.server);
  return finding(way, 'limits', `${way}_fails`, tried.server);
}

/** No way at all: whatever needs no UDP would have helped. */
function isShut({ ways }: Seen): boolean {
  return ways.udp?.state === 'fails' && WAYS.every((way) => ways[way]?.state !== 'works');
}

/** Whether another way is left decides how bad it is; whether anything over UDP comes back decides whose fault it is. */
function udpFails({ server }: WaySeen, { ways, stun }: Seen): Finding | null {
  const others = WAYS.filter((way) => way !== 'udp');
  const isOver = others.every((way) => ways[way] !== undefined) && stun !== null;
  const works = others.some((way) => ways[way]?.state === 'works');
  // Not before the others are known.
  if (!isOver && !works) return null;
  if (stun?.state === 'answered' || ways.turn_udp?.state === 'works') return finding('udp', works ? 'limits' : 'fault', works ? 'udp_elsewhere_detour' : 'udp_elsewhere', server);
  return finding('udp', works ? 'limits' : 'fault', works ? 'udp_detour' : 'udp_blocked', server);
}

function call({ call: seen }: Seen): Finding | null {
  if (!seen) return null;
  if (seen.state === 'fails') return finding('call', 'fault', 'call_fails');
  if (seen.state === 'refused') return finding('call', 'fault', 'call_refused', seen.sentence);
  if (seen.state === 'unseen') return finding('call', 'fault', 'call_unseen');
  const first = ms(seen.first_frame_ms ?? 0);
  const isLate = (seen.first_frame_ms ?? 0) > FIRST_FRAME_MS_GOOD;
  if (seen.tone === false) return finding('call', 'limits', 'call_mute', first);
  if (seen.path?.relayed) return finding('call', 'limits', 'call_relayed', first, seen.path.protocol.toUpperCase());
  if (seen.path && seen.path.protocol !== 'udp') return finding('call', 'limits', 'call_tcp', first);
  if (isLate) return finding('call', 'limits', 'call_late', first);
  return finding('call', 'ok', seen.tone === null ? 'call_ok_toneless' : 'call_ok', first);
}

function quality(seen: CallSeen | null): Finding | null {
  if (seen?.state !== 'works') return null;
  const { loss_up, loss_down, rtt_ms, jitter_ms, frames_sent, frames_shown, hidden } = seen;
  const loss = Math.max(loss_up ?? 0, loss_down ?? 0);
  const share = frames_sent > 0 ? Math.min(1, frames_shown / frames_sent) : 1;
  const values = [rtt_ms === null ? '–' : ms(rtt_ms), shareOf(loss_up), shareOf(loss_down), ms(jitter_ms ?? 0), percent(1 - share)];
  if (loss > LOSS_BEARABLE) return finding('quality', 'fault', 'quality_loss', ...values);
  if (loss > LOSS_GOOD) return finding('quality', 'limits', 'quality_loss', ...values);
  if ((rtt_ms ?? 0) > RTT_MS_GOOD) return finding('quality', 'limits', 'quality_far', ...values);
  if ((jitter_ms ?? 0) > JITTER_MS_GOOD) return finding('quality', 'limits', 'quality_unsteady', ...values);
  // A page out of sight is painted rarely, whatever arrives.
  if (!hidden && share < FRAMES_GOOD) return finding('quality', 'limits', 'quality_frames', ...values);
  return finding('quality', 'ok', 'quality_ok', ...values);
}

function bandwidth(seen: BandwidthSeen | null): Finding | null {
  if (!seen) return null;
  const { up_bps, down_bps, ceiling_bps, span_ms, limited, rising } = seen;
  const least = Math.min(up_bps, down_bps);
  const values = [bitrate(up_bps), bitrate(down_bps), bitrate(ceiling_bps), String(Math.round(span_ms / 1000))];
  if (least >= BPS_GOOD) return finding('bandwidth', 'ok', 'bandwidth_ok', ...values);
  // Some browsers begin so slowly that the time is over before the line is full.
  if (rising && least >= BPS_BEARABLE) return finding('bandwidth', 'ok', 'bandwidth_rising', ...values);
  if (limited === 'cpu') return finding('bandwidth', 'limits', 'bandwidth_cpu', ...values);
  return finding('bandwidth', 'limits', least >= BPS_BEARABLE ? 'bandwidth_small' : 'bandwidth_tiny', ...values);
}

function finding(id: CheckId, verdict: Verdict, code: Code, ...values: string[]): Finding {
  return { id, verdict, code, values };
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}

function shareOf(loss: number | null): string {
  return loss === null ? '–' : percent(loss);
}
