import { DisconnectReason } from 'livekit-client';
import { describe, expect, it } from 'vitest';
import { type Ending, endingOfFailure, endingOfReason, endingOfTokenRefusal } from './ending';

describe('endingOfReason', () => {
  it('agrees with the numbers of the SDK', () => {
    const pairs: Array<[DisconnectReason, Ending]> = [
      [DisconnectReason.CLIENT_INITIATED, 'left'],
      [DisconnectReason.DUPLICATE_IDENTITY, 'duplicate'],
      [DisconnectReason.SERVER_SHUTDOWN, 'server_shutdown'],
      [DisconnectReason.PARTICIPANT_REMOVED, 'removed'],
      [DisconnectReason.ROOM_DELETED, 'room_deleted'],
      [DisconnectReason.ROOM_CLOSED, 'room_closed'],
      [DisconnectReason.MEDIA_FAILURE, 'media_failed'],
      [DisconnectReason.UNKNOWN_REASON, 'lost'],
    ];
    for (const [reason, ending] of pairs) expect(endingOfReason(reason)).toBe(ending);
    expect(endingOfReason(undefined)).toBe('lost');
    expect(endingOfReason(4711)).toBe('lost');
  });
});

describe('endingOfFailure', () => {
  it('reads status and text', () => {
    expect(endingOfFailure({ kind: 'not_allowed', status: 401, message: 'invalid token: expired' })).toBe('token_expired');
    expect(endingOfFailure({ kind: 'not_allowed', status: 401, message: 'no permissions to access the room' })).toBe('token_refused');
    expect(endingOfFailure({ kind: 'not_allowed', status: 404, message: 'requested room does not exist' })).toBe('room_missing');
    expect(endingOfFailure({ kind: 'not_allowed', status: 403, message: 'room is full' })).toBe('room_full');
    expect(endingOfFailure({ kind: 'not_allowed', status: 403, message: 'the members of this room connect to each other, not by way of the server' })).toBe('room_mesh');
    expect(endingOfFailure({ kind: 'not_allowed', status: 401, message: 'invalid token: the token is not valid yet' })).toBe('token_early');
    expect(endingOfFailure({ kind: 'internal', status: 503, message: 'the server is stopping' })).toBe('server_shutdown');
    expect(endingOfFailure({ kind: 'internal', status: 500, message: '' })).toBe('unreachable');
    expect(endingOfFailure({ kind: 'internal', status: 503, message: '' })).toBe('server_busy');
    expect(endingOfFailure({ kind: 'unreachable', message: 'Failed to fetch' })).toBe('unreachable');
    expect(endingOfFailure({ kind: 'internal', message: 'could not establish pc connection' })).toBe('media_failed');
    expect(endingOfFailure({ kind: 'leave', message: '', reason: DisconnectReason.DUPLICATE_IDENTITY })).toBe('duplicate');
    expect(endingOfFailure({ kind: 'cancelled', message: '' })).toBe('left');
  });
});

describe('endingOfTokenRefusal', () => {
  it('tells a closed door from a broken one', () => {
    expect(endingOfTokenRefusal(403, 'tokens_closed')).toBe('token_missing');
    expect(endingOfTokenRefusal(403, 'foreign_page')).toBe('wrong_address');
    expect(endingOfTokenRefusal(404, '')).toBe('unreachable');
    expect(endingOfTokenRefusal(400, 'bad_request')).toBe('token_refused');
  });
});
