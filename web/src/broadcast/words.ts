/** What is said over `/one2many` (docs/protocols/one2many.md), as far as our two pages use it. */

export type Message =
  | { id: 'accepted'; sdp: string }
  | { id: 'rejected'; sentence: string }
  | { id: 'candidate'; candidate: RTCIceCandidateInit }
  | { id: 'stopped' }
  | { id: 'waiting' }
  | { id: 'viewers'; count: number };

/** Why it does not go on. `again`: it is worth another try at once. */
export type Refusal = 'busy' | 'elsewhere' | 'not_allowed' | 'full' | 'room_missing' | 'wrong_room' | 'removed' | 'closed' | 'again' | 'other';

const REFUSALS = new Map<string, Refusal>([
  ['Another user is currently acting as presenter. Try again later ...', 'busy'],
  ['somebody else took this place', 'elsewhere'],
  ['not allowed', 'not_allowed'],
  ['not allowed by the token', 'not_allowed'],
  ['requested room does not exist', 'room_missing'],
  ['the members of this room connect to each other, not by way of the server', 'wrong_room'],
  ['room is full', 'full'],
  ['server is full', 'full'],
  ['removed by a moderator', 'removed'],
  ['the room was closed', 'closed'],
  ['the server is stopping', 'again'],
  ['the media connection was lost', 'again'],
]);

export function refusalOf(sentence: string): Refusal {
  return REFUSALS.get(sentence) ?? 'other';
}

/** `null`: nothing that a page acts upon. */
export function readMessage(message: Record<string, unknown>): Message | null {
  const { id, response, sdpAnswer, message: sentence, candidate, count } = message;
  switch (id) {
    case 'presenterResponse':
    case 'viewerResponse':
      if (response === 'accepted' && typeof sdpAnswer === 'string') return { id: 'accepted', sdp: sdpAnswer };
      return { id: 'rejected', sentence: typeof sentence === 'string' ? sentence : '' };
    case 'iceCandidate':
      return typeof candidate === 'object' && candidate !== null ? { id: 'candidate', candidate: candidate as RTCIceCandidateInit } : null;
    case 'stopCommunication':
      return { id: 'stopped' };
    case 'waiting':
      return { id: 'waiting' };
    case 'viewers':
      return typeof count === 'number' && count >= 0 ? { id: 'viewers', count } : null;
    default:
      return null;
  }
}
