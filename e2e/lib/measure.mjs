// From logs of frames sent and frames painted to the figures a test asserts on.
import { strict as assert } from 'node:assert';
import { cpus } from 'node:os';
import { senderOf } from './marks.mjs';

const LATEST_MS = 4000;
// Less than that of all cores' time is as good as nothing: a browser's threads wait for each other.
const STARVED_IDLE_SHARE = 0.08;
// A browser may skip what it has, when two frames fall into one step of its own.
const PAINTS_SHARE_MIN = 0.5;
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

// wrong: whatever the machine does. slow: may be the machine's own slowness. lost: no slowness excuses that.
const frameFaults = (figures, who, { share = 0.9, p90Ms = 250, sentMin = 30 } = {}) => {
  const text = `${who}: ${show(figures)}`;
  const wrong = [];
  const slow = [];
  const lost = [];
  if (figures.unreadable > 0) wrong.push(`${text}: wanted no unreadable frame`);
  if (figures.foreign > 0) wrong.push(`${text}: wanted no frame of another sender`);
  if (!(figures.sent >= sentMin)) slow.push(`${text}: the sender itself made too few frames (wanted ${sentMin})`);
  if (!(figures.share >= share)) slow.push(`${text}: wanted at least ${share * 100} % of the sent frames painted`);
  if (!(figures.p90Ms < p90Ms)) slow.push(`${text}: wanted p90 below ${p90Ms} ms`);
  if (!(figures.sent >= sentMin / 3 && figures.share >= share / 2)) lost.push(text);
  return { wrong, slow, lost };
};

const cpuTimes = () => cpus().reduce((sum, { times }) => ({ idle: sum.idle + times.idle, all: sum.all + Object.values(times).reduce((a, b) => a + b, 0) }), { idle: 0, all: 0 });

// measure() gives {wrong, slow, lost}, each a list of texts. What is wrong fails at once. Where frames or the pace were missed it is
// measured again, for several browsers share few cores: what we do wrong is wrong every time. Where the cores had nothing left every time
// and nothing was lost, the pace says nothing of us: the figures are printed.
export const assertSteady = async (measure, { times = 3 } = {}) => {
  let starved = true;
  let missed = [];
  for (let time = 1; time <= times; time += 1) {
    const before = cpuTimes();
    const { wrong, slow, lost } = await measure();
    const after = cpuTimes();
    assert.deepEqual(wrong, []);
    if (slow.length + lost.length === 0) return;
    missed = [...lost, ...slow];
    const idle = (after.idle - before.idle) / Math.max(1, after.all - before.all);
    starved &&= idle < STARVED_IDLE_SHARE && lost.length === 0;
    console.log(`  slow, ${time} of ${times} times; the cores were idle for ${(idle * 100).toFixed(1)} % of it\n    ${missed.join('\n    ')}`);
  }
  if (!starved) assert.deepEqual(missed, [], `each of ${times} times`);
  console.log('  the machine has no time left for a verdict on the pace');
};

// pairs: [{who, sent, painted, sender, limits, paints}]. painted() gives the frames that the receiver had, paints(since) how often it painted one.
export const assertFramesArrive = (pairs, { windowMs }) =>
  assertSteady(async () => {
    const from = Date.now();
    await wait(windowMs);
    const to = Date.now();
    await wait(1000);
    const found = { wrong: [], slow: [], lost: [] };
    for (const { who, sent, painted, sender, limits, paints } of pairs) {
      const figures = frameFigures(await sent(), await painted(), { from, to, sender });
      const shown = await paints?.(from);
      console.log(`  ${who}: ${show(figures)}${shown === undefined ? '' : `, ${shown} times something new was painted`}`);
      if (shown < figures.sent * PAINTS_SHARE_MIN) found.lost.push(`${who}: painted ${shown} times for ${figures.sent} frames`);
      for (const [kind, faults] of Object.entries(frameFaults(figures, who, limits))) found[kind].push(...faults);
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
