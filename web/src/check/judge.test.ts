import { describe, expect, it } from 'vitest';
import { type CheckId, type Finding, judge, summarise } from './judge';
import type { CallSeen, Seen, WaySeen } from './seen';

const works: WaySeen = { state: 'works', server: '192.0.2.1:7882', took_ms: 80, code: 0 };
const fails: WaySeen = { state: 'fails', server: '192.0.2.1:7882', took_ms: null, code: 0 };
const absent: WaySeen = { state: 'absent', server: '', took_ms: null, code: 0 };
const goodCall: CallSeen = { state: 'works', sentence: '', path: { relayed: false, protocol: 'udp' }, first_frame_ms: 300, rtt_ms: 20, loss_up: 0, loss_down: 0, jitter_ms: 3, frames_sent: 60, frames_shown: 60, tone: true, hidden: false };

/** A good network before which nobody has pressed anything, and what is otherwise. */
const seen = (otherwise: Partial<Seen> = {}): Seen => ({
  page: { secure: true, webrtc: true, browser: { name: 'Chrome', version: '140.0', isOld: false } },
  devices: {
    camera: { count: 1, permission: 'prompt', state: 'idle', width: 0, height: 0 },
    microphone: { count: 1, permission: 'prompt', state: 'idle', heard: false, silent: false },
    speaker: { count: 1, heard: null },
  },
  http: { answered: true, rtt_ms: 20 },
  access: { state: 'open' },
  socket: { state: 'open', open_ms: 40, ending: null },
  stun: { state: 'answered', server: '192.0.2.1:7882', translated: true },
  ways: { udp: works, tcp: absent, turn_udp: works, turn_tcp: works, turn_tls: works },
  call: goodCall,
  bandwidth: { up_bps: 3e6, down_bps: 3e6, ceiling_bps: 3e6, span_ms: 5000, rising: false, limited: '' },
  ...otherwise,
});
const open = seen({
  devices: {
    camera: { count: 1, permission: 'granted', state: 'open', width: 1280, height: 720 },
    microphone: { count: 1, permission: 'granted', state: 'open', heard: true, silent: false },
    speaker: { count: 1, heard: true },
  },
});
const of = (id: CheckId, from: Seen): Finding | undefined => judge(from).find((finding) => finding.id === id);
const verdict = (id: CheckId, from: Seen): string => {
  const finding = of(id, from);
  return finding ? `${finding.verdict} ${finding.code}` : 'none';
};
const said = (from: Seen): string => {
  const { tone, code, first } = summarise(from);
  return `${tone} ${code} ${first?.id ?? '-'}`;
};

it('all is well', () => {
  expect(judge(open).filter((finding) => finding.verdict !== 'ok').map(({ id, code }) => `${id} ${code}`)).toEqual(['tcp not_offered']);
  expect(said(open)).toBe('ok ready -');
  expect(said(seen())).toBe('ok network -');
});

it('says nothing of what was not seen yet', () => {
  const early = seen({ http: null, access: null, socket: null, stun: null, ways: {}, call: null, bandwidth: null });
  expect(judge(early).map(({ id }) => id)).toEqual(['page', 'browser', 'camera', 'microphone', 'speaker']);
});

describe('UDP', () => {
  const blocked = { stun: { state: 'silent', server: '192.0.2.1:7882', translated: false } as const, call: { ...goodCall, state: 'fails' } as CallSeen, bandwidth: null };

  it('blocked, and nothing else offered: that is the fault, before the call that follows from it', () => {
    const from = seen({ ...blocked, stun: { state: 'absent', server: '', translated: false }, ways: { udp: fails, tcp: absent, turn_udp: absent, turn_tcp: absent, turn_tls: absent } });
    expect(verdict('udp', from)).toBe('fault udp_blocked');
    expect([verdict('tcp', from), verdict('turn_tls', from), verdict('turn_udp', from)]).toEqual(['neutral not_offered_missed', 'neutral not_offered_missed', 'neutral not_offered']);
    expect(of('udp', from)?.values).toEqual(['192.0.2.1:7882']);
    expect(verdict('call', from)).toBe('fault call_fails');
    expect(said(from)).toBe('fault fault udp');
  });

  it('blocked, and a relay over TCP works: a detour', () => {
    const from = seen({ ...blocked, call: { ...goodCall, path: { relayed: true, protocol: 'tcp' } }, ways: { udp: fails, tcp: absent, turn_udp: fails, turn_tcp: works, turn_tls: works } });
    expect(verdict('udp', from)).toBe('limits udp_detour');
    expect(verdict('turn_udp', from)).toBe('limits fails_too');
    expect(verdict('tcp', from)).toBe('neutral not_offered');
    expect(verdict('call', from)).toBe('limits call_relayed');
    expect(of('call', from)?.values).toEqual(['300 ms', 'TCP']);
    expect(said(from)).toBe('limits limits udp');
  });

  it('is not judged before the other ways are known, unless one of them works', () => {
    expect(verdict('udp', seen({ ...blocked, ways: { udp: fails, tcp: absent } }))).toBe('none');
    expect(verdict('udp', seen({ ...blocked, stun: null, ways: { udp: fails, tcp: absent, turn_udp: absent, turn_tcp: absent, turn_tls: absent } }))).toBe('none');
    expect(verdict('udp', seen({ ...blocked, ways: { udp: fails, turn_tcp: works } }))).toBe('limits udp_detour');
  });

  it('passes, but not to the address for media: the server names a wrong one', () => {
    const ways = { udp: fails, tcp: absent, turn_udp: absent, turn_tcp: absent, turn_tls: absent };
    expect(verdict('udp', seen({ ...blocked, stun: { state: 'answered', server: 'a', translated: false }, ways }))).toBe('fault udp_elsewhere');
    expect(verdict('udp', seen({ stun: { state: 'answered', server: 'a', translated: false }, ways: { ...ways, turn_udp: works } }))).toBe('limits udp_elsewhere_detour');
  });
});

it('claims a NAT only where the own address is known', () => {
  const stun = (translated: boolean | null): Seen => seen({ stun: { state: 'answered', server: 'a', translated } });
  expect([true, false, null].map((translated) => verdict('stun', stun(translated)))).toEqual(['ok stun_translated', 'ok stun_same', 'ok stun_answers']);
});

it('a way that is not offered, or not needed, spoils nothing', () => {
  const from = { ...open, stun: { state: 'absent', server: '', translated: false } as const, ways: { udp: works, tcp: absent, turn_udp: absent, turn_tcp: { ...fails, code: 401 }, turn_tls: fails } };
  expect(verdict('turn_tcp', from)).toBe('limits relay_refused');
  expect(verdict('turn_tls', from)).toBe('limits turn_tls_fails');
  expect(verdict('stun', from)).toBe('neutral not_offered');
  expect(said(from)).toBe('ok ready -');
});

it('a server that answered no offer is not taken for a network that is blocked', () => {
  const unknown: WaySeen = { ...absent, state: 'unknown' };
  const from = seen({ ways: { udp: unknown, tcp: unknown, turn_udp: absent, turn_tcp: absent, turn_tls: absent }, call: { ...goodCall, state: 'refused', sentence: 'room is full' }, bandwidth: null });
  expect(verdict('udp', from)).toBe('none');
  expect(of('call', from)).toEqual({ id: 'call', verdict: 'fault', code: 'call_refused', values: ['room is full'] });
  expect(said(from)).toBe('fault fault call');
});

it('the page, the server and its door come before what follows from them', () => {
  const nothing = { socket: null, stun: null, ways: {}, call: null, bandwidth: null };
  expect(said(seen({ page: { secure: false, webrtc: true, browser: null } }))).toBe('fault fault page');
  expect(verdict('page', seen({ page: { secure: true, webrtc: false, browser: null } }))).toBe('fault page_no_webrtc');
  expect(said(seen({ ...nothing, http: { answered: false, rtt_ms: null }, access: null }))).toBe('fault fault http');
  expect(verdict('socket', seen({ ...nothing, socket: { state: 'blocked', open_ms: null, ending: null } }))).toBe('fault socket_blocked');
  expect(of('socket', seen({ ...nothing, socket: { state: 'refused', open_ms: null, ending: 'token_expired' } }))?.values).toEqual(['token_expired']);
  expect(said(seen({ ...nothing, access: { state: 'needed' } }))).toBe('neutral needed -');
  expect(said(seen({ ...nothing, access: { state: 'refused', ending: 'server_busy' } }))).toBe('fault fault socket');
});

it('devices: a microphone is needed, a camera is not', () => {
  const with_ = (devices: Partial<Seen['devices']>): Seen => seen({ devices: { ...open.devices, ...devices } });
  const { camera, microphone, speaker } = open.devices;
  expect(said(with_({ microphone: { ...microphone, state: 'busy' } }))).toBe('fault unheard microphone');
  expect(said(with_({ camera: { ...camera, state: 'missing' } }))).toBe('limits limits camera');
  expect(verdict('camera', with_({ camera: { ...camera, state: 'asking' } }))).toBe('none');
  expect(verdict('camera', with_({ camera: { ...camera, width: 0 } }))).toBe('none');
  expect(verdict('microphone', with_({ microphone: { ...microphone, heard: false } }))).toBe('neutral microphone_quiet');
  expect(verdict('microphone', with_({ microphone: { ...microphone, heard: false, silent: true } }))).toBe('limits microphone_silent');
  expect(verdict('microphone', seen({ devices: { ...open.devices, microphone: { ...microphone, state: 'idle', permission: 'denied' } } }))).toBe('fault device_blocked');
  expect(verdict('speaker', with_({ speaker: { ...speaker, heard: false } }))).toBe('limits speaker_unheard');
  expect(said(with_({ microphone: { ...microphone, heard: false } }))).toBe('ok network -');
});

it('the call and its quality', () => {
  const call = (otherwise: Partial<CallSeen>): Seen => seen({ call: { ...goodCall, ...otherwise } });
  expect(verdict('call', call({ tone: null }))).toBe('ok call_ok_toneless');
  expect(verdict('call', call({ tone: false }))).toBe('limits call_mute');
  expect(verdict('call', call({ first_frame_ms: 6000 }))).toBe('limits call_late');
  expect(verdict('call', call({ path: { relayed: false, protocol: 'tcp' } }))).toBe('limits call_tcp');
  expect(verdict('call', call({ state: 'unseen' }))).toBe('fault call_unseen');
  expect(verdict('quality', call({ state: 'unseen' }))).toBe('none');
  expect(verdict('quality', call({ loss_down: 0.05 }))).toBe('limits quality_loss');
  expect(verdict('quality', call({ loss_up: 0.2 }))).toBe('fault quality_loss');
  expect(verdict('quality', call({ rtt_ms: 450 }))).toBe('limits quality_far');
  expect(verdict('quality', call({ jitter_ms: 80 }))).toBe('limits quality_unsteady');
  expect(verdict('quality', call({ frames_shown: 20 }))).toBe('limits quality_frames');
  expect(verdict('quality', call({ frames_shown: 20, hidden: true }))).toBe('ok quality_ok');
  expect(of('quality', call({ rtt_ms: null, loss_up: null, loss_down: 0.012, frames_shown: 45 }))?.values).toEqual(['–', '–', '1.2 %', '3 ms', '25 %']);
});

it('bandwidth: the narrower direction decides, a busy device is not a narrow line', () => {
  const line = (up_bps: number, down_bps: number, limited: '' | 'cpu' = '', rising = false): Seen => seen({ bandwidth: { up_bps, down_bps, ceiling_bps: 3e6, span_ms: 5000, rising, limited } });
  expect(verdict('bandwidth', line(3e6, 1e6))).toBe('ok bandwidth_ok');
  expect(verdict('bandwidth', line(6e5, 3e6))).toBe('limits bandwidth_small');
  expect(verdict('bandwidth', line(3e6, 1e5))).toBe('limits bandwidth_tiny');
  expect(verdict('bandwidth', line(6e5, 6e5, 'cpu'))).toBe('limits bandwidth_cpu');
  expect(verdict('bandwidth', line(6e5, 6e5, '', true))).toBe('ok bandwidth_rising');
  expect(verdict('bandwidth', line(1e5, 1e5, '', true))).toBe('limits bandwidth_tiny');
  expect(of('bandwidth', line(6e5, 3e6))?.values).toEqual(['600 kbit/s', '3.0 Mbit/s', '3.0 Mbit/s', '5']);
});
