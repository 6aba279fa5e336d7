/** By which ways sound and picture may go, as the server tells who asks for it (`ICE`, docs/protocols/ertc.md). */

export interface Ways {
  /** Relays; none where nothing is relayed. */
  iceServers: RTCIceServer[];
  /** `relay`: nobody in this room is to learn another's address. */
  policy: RTCIceTransportPolicy;
  /** With it, sound and picture may go by way of the server. `null`: in this room they may not. */
  token: string | null;
}

const SERVERS_MAX = 8;
const URLS_MAX = 8;
const URL_FORM = /^(?:turns?|stuns?):[^\s]{1,255}$/;

/** `null`: it cannot be read, and is as if not said. */
export function readWays(text: string | null): Ways | null {
  let said: unknown;
  try {
    said = JSON.parse(text ?? '');
  } catch {
    return null;
  }
  if (!isRecord(said) || !Array.isArray(said['iceServers'])) return null;
  const { server } = said;
  const token = isRecord(server) ? server['token'] : null;
  return {
    iceServers: said['iceServers'].slice(0, SERVERS_MAX).flatMap(readServer),
    policy: said['iceTransportPolicy'] === 'relay' ? 'relay' : 'all',
    token: typeof token === 'string' && token !== '' ? token : null,
  };
}

/** One that a browser would refuse would take the others with it. */
function readServer(server: unknown): RTCIceServer[] {
  if (!isRecord(server) || !Array.isArray(server['urls'])) return [];
  const urls = server['urls'].filter((url): url is string => typeof url === 'string' && URL_FORM.test(url)).slice(0, URLS_MAX);
  const { username, credential } = server;
  if (urls.length === 0 || typeof username !== 'string' || typeof credential !== 'string') return [];
  return [{ urls, username, credential }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
