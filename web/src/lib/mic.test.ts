import { describe, expect, it } from 'vitest';
import { meterShare, type MicHint, MicWatch } from './mic';

function after(steps: number, level: number, muted: boolean, watch = new MicWatch(), from_ms = 0): MicHint {
  let hint: MicHint = null;
  for (let step = 0; step < steps; step++) hint = watch.push(from_ms + step * 100, level, muted);
  return hint;
}

describe('MicWatch', () => {
  it('notices speech while muted, not a cough', () => {
    expect(after(10, 0.1, true)).toBe('muted_speaking');
    expect(after(3, 0.1, true)).toBe(null);
    expect(after(50, 0.005, true)).toBe(null);
  });

  it('forgets speech after a while', () => {
    const watch = new MicWatch();
    after(10, 0.1, true, watch);
    expect(after(20, 0, true, watch, 1000)).toBe(null);
  });

  it('says nothing about speech while the microphone is on', () => {
    expect(after(20, 0.2, false)).toBe(null);
  });

  it('notices a device that delivers nothing, but not a quiet room', () => {
    expect(after(60, 0, false)).toBe(null);
    expect(after(80, 0, false)).toBe('no_signal');
    expect(after(80, 0.001, false)).toBe(null);
  });

  it('does not count muted time as missing signal', () => {
    const watch = new MicWatch();
    after(100, 0, true, watch);
    expect(after(30, 0, false, watch, 10_000)).toBe(null);
  });
});

describe('meterShare', () => {
  it('rises from nothing to full', () => {
    expect(meterShare(0)).toBe(0);
    expect(meterShare(0.05)).toBeGreaterThan(0.3);
    expect(meterShare(0.9)).toBe(1);
  });
});
