import { expect, it } from 'vitest';
import { readMessage, refusalOf } from './words';

it('messages are read by what they mean', () => {
  expect(readMessage({ id: 'presenterResponse', response: 'accepted', sdpAnswer: 'v=0' })).toEqual({ id: 'accepted', sdp: 'v=0' });
  expect(readMessage({ id: 'viewerResponse', response: 'rejected', message: 'not allowed' })).toEqual({ id: 'rejected', sentence: 'not allowed' });
  expect(readMessage({ id: 'iceCandidate', candidate: { candidate: 'candidate:1', sdpMid: '0' } })).toEqual({ id: 'candidate', candidate: { candidate: 'candidate:1', sdpMid: '0' } });
  expect(readMessage({ id: 'stopCommunication' })).toEqual({ id: 'stopped' });
  expect(readMessage({ id: 'waiting' })).toEqual({ id: 'waiting' });
  expect(readMessage({ id: 'viewers', count: 12 })).toEqual({ id: 'viewers', count: 12 });
});

it('an answer without a description is none', () => {
  expect(readMessage({ id: 'viewerResponse', response: 'accepted' })).toEqual({ id: 'rejected', sentence: '' });
});

it('what is nonsense is passed over', () => {
  for (const nonsense of [{}, { id: 5 }, { id: 'viewers' }, { id: 'viewers', count: -1 }, { id: 'iceCandidate' }, { id: 'iceCandidate', candidate: null }, { id: 'error', message: 'x' }]) {
    expect(readMessage(nonsense)).toBeNull();
  }
});

it('a refusal has its cause, and one that passes by itself is tried again', () => {
  expect(refusalOf('Another user is currently acting as presenter. Try again later ...')).toBe('busy');
  expect(refusalOf('the server is stopping')).toBe('again');
  expect(refusalOf('constructor')).toBe('other');
});
