/** Asks the server's STUN what address it sees. */

import type { StunSeen } from './seen';
import { addressOf } from './servers';

/** Longer than a browser itself goes on asking. */
const ANSWER_MS_MAX = 11_000;

export async function askStun(urls: readonly string[]): Promise<StunSeen> {
  const server = urls.map(addressOf).join(', ');
  if (urls.length === 0) return { state: 'absent', server, translated: false };
  const pc = new RTCPeerConnection({ iceServers: [{ urls: [...urls] }] });
  try {
    return await new Promise<StunSeen>((settle) => {
      const timer = setTimeout(() => settle({ state: 'silent', server, translated: false }), ANSWER_MS_MAX);
      const done = (state: StunSeen['state'], translated: boolean | null): void => {
        clearTimeout(timer);
        settle({ state, server, translated });
      };
      let hasOwn = false;
      const own = new Set<string>();
      let failures = 0;
      pc.addEventListener('icecandidateerror', () => failures++);
      pc.addEventListener('icecandidate', ({ candidate }) => {
        if (candidate?.type === 'host' && candidate.protocol === 'udp') {
          hasOwn = true;
          // Before somebody allowed the camera, browsers give names instead of addresses.
          if (candidate.address && !candidate.address.endsWith('.local')) own.add(candidate.address);
        }
        if (candidate?.type === 'srflx') done('answered', own.size === 0 ? null : !own.has(candidate.address ?? ''));
        // Who has the address that the server sees is told of no second one: the end, without a complaint, is the answer. A browser
        // that may not use UDP at all complains of nothing, too.
        if (candidate === null) done(hasOwn && failures === 0 ? 'answered' : 'silent', false);
      });
      pc.createDataChannel('check');
      void pc.createOffer().then((offer) => pc.setLocalDescription(offer));
    });
  } finally {
    pc.close();
  }
}
