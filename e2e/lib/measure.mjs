// From logs of frames sent and frames painted to the figures a test asserts on.
import { strict as assert } from 'node:assert';
import { senderOf } from './marks.mjs';

const LATEST_MS = 4000;
const SKEW_MS = 100;

export const percentile = (values, share) => {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
};

// sent, painted: [{id, t}], t in epoch milliseconds on one machine. Only frames sent in [from, to] count.
export const frameFigures = (sent, painted, { from, to, sender }) => {
  const seen = painted.filter((frame) => frame.t >= from && frame.t <= to + LATEST_MS);
  const unreadable = seen.filter((frame) => frame.id < 0).length;
  const foreign = seen.filter((frame) => frame.id >= 0 && senderOf(frame.id) !== sender).length;
  const byId = new Map();
  for (const frame of seen) {
    const times = byId.get(frame.id);
    if (times) times.push(frame.t);
    else byId.set(frame.id, [frame.t]);
  }
  const mine = sent.filter((frame) => frame.t >= from && frame.t <= to && frame.id >= 0);
  const latencies = [];
  for (const frame of mine) {
    const at = byId.get(frame.id)?.find((t) => t > frame.t - SKEW_MS && t < frame.t + LATEST_MS);
    if (at !== undefined) latencies.push(at - frame.t);
  }
  const inWindow = seen.filter((frame) => frame.t <= to);
  const gaps = inWindow.slice(1).map((frame, i) => frame.t - inWindow[i].t);
  return {
    sent: mine.length,
    painted: latencies.length,
    share: mine.length === 0 ? 0 : latencies.length / mine.length,
    unreadable,
    foreign,
    p50Ms: percentile(latencies, 0.5),
    p90Ms: percentile(latencies, 0.9),
    gapMsMax: Math.max(0, ...gaps),
    widths: [...new Set(seen.map((frame) => frame.w))],
  };
};

export const show = (f) =>
  `${f.painted}/${f.sent} frames (${(f.share * 100).toFixed(1)} %), ${f.unreadable} unreadable, ${f.foreign} foreign, p50 ${f.p50Ms.toFixed(0)} ms, p90 ${f.p90Ms.toFixed(0)} ms, longest gap ${f.gapMsMax.toFixed(0)} ms, widths ${f.widths.join('/')}`;

// What is wrong with a picture whatever the machine does, and what may be the machine's own slowness.
const frameFaults = (figures, who, { share = 0.9, p90Ms = 250, sentMin = 30 } = {}) => {
  const text = `${who}: ${show(figures)}`;
  const wrong = [];
  const slow = [];
  if (figures.unreadable > 0) wrong.push(`${text}: wanted no unreadable frame`);
  if (figures.foreign > 0) wrong.push(`${text}: wanted no frame of another sender`);
  if (!(figures.sent >= sentMin)) slow.push(`${text}: the sender itself made too few frames (wanted ${sentMin})`);
  if (!(figures.share >= share)) slow.push(`${text}: wanted at least ${share * 100} % of the sent frames painted`);
  if (!(figures.p90Ms < p90Ms)) slow.push(`${text}: wanted p90 below ${p90Ms} ms`);
  return { wrong, slow };
};

// What is wrong fails at once. Where only the pace was missed it is measured again, for several browsers share few cores: what we
// do wrong is wrong every time. measure() gives {wrong: [text], slow: [text]}.
export const assertSteady = async (measure, { times = 3 } = {}) => {
  for (let left = times; left > 0; left -= 1) {
    const { wrong, slow } = await measure();
    assert.deepEqual(wrong, []);
    if (slow.length === 0) return;
    if (left === 1) assert.deepEqual(slow, [], `each of ${times} times`);
    console.log(`  slow: measured once more\n    ${slow.join('\n    ')}`);
  }
};

// pairs: [{who, sent, painted, sender, limits}].
export const assertFramesArrive = (pairs, { windowMs }) =>
  assertSteady(async () => {
    const from = Date.now();
    await wait(windowMs);
    const to = Date.now();
    await wait(1000);
    const found = { wrong: [], slow: [] };
    for (const { who, sent, painted, sender, limits } of pairs) {
      const figures = frameFigures(await sent(), await painted(), { from, to, sender });
      console.log(`  ${who}: ${show(figures)}`);
      const { wrong, slow } = frameFaults(figures, who, limits);
      found.wrong.push(...wrong);
      found.slow.push(...slow);
    }
    return found;
  });

// levels: {frequency: dBFS}, the loudest moment of each frequency.
export const assertTone = (levels, frequencyHz, absentHz, who) => {
  const [there, absent] = [levels[frequencyHz], levels[absentHz]];
  const text = `${who}: ${frequencyHz} Hz at ${there?.toFixed(1)} dB, ${absentHz} Hz (never sent) at ${absent?.toFixed(1)} dB`;
  assert.ok(there > -45, `${text}: the sent tone is not to be heard`);
  assert.ok(there - absent > 20, `${text}: wanted the sent tone at least 20 dB above the absent one`);
  return text;
};

// How loud one frequency is in a block of samples, in dB of full scale (Goertzel with a Hann window).
export const levelDb = (samples, rateHz, frequencyHz) => {
  const n = samples.length;
  const w = (2 * Math.PI * frequencyHz) / rateHz;
  const k = 2 * Math.cos(w);
  let [a, b] = [0, 0];
  for (let i = 0; i < n; i += 1) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (n - 1));
    const c = samples[i] * hann + k * a - b;
    b = a;
    a = c;
  }
  const power = a * a + b * b - k * a * b;
  return 20 * Math.log10((4 * Math.sqrt(Math.max(power, 1e-20))) / n + 1e-9);
};

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export const eventually = async (what, check, { ms = 10_000, everyMs = 100 } = {}) => {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    last = await check();
    if (last) return last;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms (last: ${JSON.stringify(last)})`);
    await wait(everyMs);
  }
};
