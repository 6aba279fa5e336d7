/** Why a meeting could not begin or came to an end, in words the screens know. */

export type Ending =
  | 'left'
  | 'token_expired'
  | 'token_refused'
  | 'token_missing'
  | 'token_early'
  | 'wrong_address'
  | 'room_missing'
  | 'room_full'
  | 'room_mesh'
  | 'removed'
  | 'duplicate'
  | 'room_deleted'
  | 'room_closed'
  | 'server_shutdown'
  | 'server_busy'
  | 'unreachable'
  | 'media_failed'
  | 'unsupported'
  | 'lost';

/** The wire's numbers of the LiveKit protocol's DisconnectReason; kept here so that this module loads without the SDK. */
const REASONS: Record<number, Ending> = {
  1: 'left',
  2: 'duplicate',
  3: 'server_shutdown',
  4: 'removed',
  5: 'room_deleted',
  6: 'lost',
  7: 'unreachable',
  8: 'lost',
  9: 'lost',
  10: 'room_closed',
  11: 'lost',
  12: 'token_refused',
  14: 'lost',
  15: 'media_failed',
};

export function endingOfReason(reason: number | undefined): Ending {
  return REASONS[reason ?? 0] ?? 'lost';
}

/** What a refused or failed connect says: an HTTP status where the server gave one, its text, or the SDK's kind of failure. */
export interface ConnectFailure {
  kind: 'not_allowed' | 'unreachable' | 'internal' | 'cancelled' | 'leave' | 'timeout' | 'socket' | 'not_found' | 'unsupported' | 'other';
  status?: number;
  message: string;
  /** With `leave`: the DisconnectReason. */
  reason?: number;
}

export function endingOfFailure(failure: ConnectFailure): Ending {
  const { kind, status, message } = failure;
  if (kind === 'cancelled') return 'left';
  if (kind === 'unsupported') return 'unsupported';
  if (kind === 'leave') return endingOfReason(failure.reason);
  if (/(room|join)[ _](is[ _])?full|max(imum)?[ _-]participants|capacity/i.test(message)) return 'room_full';
  if (/members of this room connect to each other/i.test(message)) return 'room_mesh';
  if (/requested room does not exist/i.test(message)) return 'room_missing';
  if (/expired|"?exp"? claim/i.test(message)) return 'token_expired';
  if (/not valid yet|"?nbf"? claim|not yet valid/i.test(message)) return 'token_early';
  if (/stopping|shutting down/i.test(message)) return 'server_shutdown';
  if (status === 503 || status === 429) return 'server_busy';
  if (status !== undefined && status >= 500) return 'unreachable';
  if (kind === 'not_allowed' || status === 400 || status === 401 || status === 403) return 'token_refused';
  if (/could not establish pc connection/i.test(message)) return 'media_failed';
  return 'unreachable';
}

/** What `POST /api/token` refused. */
export function endingOfTokenRefusal(status: number, code: string): Ending {
  if (code === 'tokens_closed') return 'token_missing';
  if (code === 'foreign_page') return 'wrong_address';
  if (code === 'room_full') return 'room_full';
  if (status === 429 || status === 503) return 'server_busy';
  if (status === 404 || status >= 500) return 'unreachable';
  return 'token_refused';
}
