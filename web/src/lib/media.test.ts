import { expect, it } from 'vitest';
import { type MediaFailure, mediaFailure } from './media';

it('names the cause', () => {
  const causes: Array<[string, string, MediaFailure]> = [
    ['NotAllowedError', 'Permission denied', 'blocked'],
    ['NotAllowedError', 'Permission denied by system', 'blocked_system'],
    ['NotFoundError', '', 'missing'],
    ['OverconstrainedError', '', 'missing'],
    ['NotReadableError', 'Could not start video source', 'busy'],
    ['TypeError', '', 'unsupported'],
    ['SomethingElse', '', 'other'],
  ];
  for (const [name, message, cause] of causes) expect(mediaFailure(Object.assign(new Error(message), { name }), true)).toBe(cause);
});

it('blames an insecure page first', () => {
  expect(mediaFailure(new TypeError('x'), false)).toBe('insecure');
});

it('survives what is no error at all', () => {
  expect(mediaFailure(undefined, true)).toBe('other');
  expect(mediaFailure('no', true)).toBe('other');
});
