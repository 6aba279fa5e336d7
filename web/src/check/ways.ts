/** Tries one way to the server's media alone. */

import { Connection } from './connect';
import type { Way, WaySeen } from './seen';
import { addressOf, type Offered } from './servers';

const WAY_MS_MAX = 9_000;
const ABSENT: WaySeen = { state: 'absent', server: '', took_ms: null, code: 0 };

export async function tryWay(way: Way, { relays }: Offered, room: string, token: string | null): Promise<WaySeen> {
  const direct = way === 'udp' || way === 'tcp';
  const relay = relays[way];
  if (!direct && !relay) return ABSENT;
  const connection = new Connection({
    role: 'viewer',
    room,
    token,
    rtc: relay ? { iceServers: [{ ...relay }], iceTransportPolicy: 'relay' } : { iceServers: [] },
    ...(direct ? { over: way } : {}),
    prepare: (pc) => {
      for (const kind of ['audio', 'video'] as const) pc.addTransceiver(kind, { direction: 'recvonly' });
    },
  });
  try {
    const outcome = await connection.open(WAY_MS_MAX);
    if (outcome === 'absent') return ABSENT;
    if (outcome === 'refused') return { ...ABSENT, state: 'unknown' };
    const tried = relay ? relay.urls.map(addressOf) : afar(connection.addresses);
    const used = outcome === 'connected' ? (await connection.sample()).server : '';
    const server = used || tried.join(', ');
    return { state: outcome === 'connected' ? 'works' : 'fails', server, took_ms: connection.took_ms, code: connection.code };
  } finally {
    connection.close();
  }
}

/** What another machine could be meant by. */
function afar(addresses: readonly string[]): readonly string[] {
  const others = addresses.filter((address) => !/^(127\.|\[::1\])/.test(address));
  return others.length > 0 ? others : addresses;
}
