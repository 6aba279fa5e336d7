import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Line, type LineUse, pauseBefore } from './line';

/** The browser's end of a socket, as far as a page sees it. */
class Socket {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  readyState = 0;
  sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    Socket.all.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 3;
  }

  opens(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  breaks(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

const newest = (): Socket => Socket.all.at(-1) as Socket;
const opened = vi.fn();
const heard = vi.fn();
const use: LineUse = { url: 'ws://h/door', opened, heard };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', Socket);
  Socket.all = [];
  opened.mockClear();
  heard.mockClear();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('pauses longer each time, never the same for all, and not for ever', () => {
  expect([0, 1, 2, 3, 4, 20].map((attempt) => pauseBefore(attempt, () => 1))).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  expect(pauseBefore(2, () => 0)).toBe(1_000);
});

it('opens again after each break and says so', () => {
  const line = new Line(use);
  expect(line.state.value).toBe('opening');
  newest().opens();
  expect([line.state.value, opened.mock.calls.length]).toEqual(['open', 1]);
  newest().breaks();
  expect(line.state.value).toBe('broken');
  vi.advanceTimersByTime(500);
  expect(Socket.all.length).toBe(2);
  // Not yet: the server is still away.
  newest().breaks();
  vi.advanceTimersByTime(1_000);
  expect(Socket.all.length).toBe(3);
  newest().opens();
  expect([line.state.value, opened.mock.calls.length]).toEqual(['open', 2]);
  line.close();
});

it('a line that stood for a while begins with a short pause again, one that falls at once does not', () => {
  vi.spyOn(Math, 'random').mockReturnValue(1);
  const line = new Line(use);
  for (const pause of [500, 1_000, 2_000]) {
    newest().opens();
    newest().breaks();
    vi.advanceTimersByTime(pause - 1);
    expect(newest().readyState).toBe(3);
    vi.advanceTimersByTime(1);
    expect(newest().readyState).toBe(0);
  }
  newest().opens();
  vi.advanceTimersByTime(6_000);
  newest().breaks();
  vi.advanceTimersByTime(500);
  expect(newest().readyState).toBe(0);
  line.close();
});

it('sends what can be sent, and tells when it cannot', () => {
  const line = new Line(use);
  expect(line.send({ id: 'early' })).toBe(false);
  newest().opens();
  expect(line.send({ id: 'stop' })).toBe(true);
  expect(newest().sent).toEqual(['{"id":"stop"}']);
  newest().breaks();
  expect(line.send({ id: 'late' })).toBe(false);
  line.close();
});

it('hears objects and nothing else', () => {
  const line = new Line(use);
  newest().opens();
  for (const data of ['{"id":"a"}', 'x', '[]', 'null', '5', new ArrayBuffer(3)]) newest().onmessage?.({ data });
  expect(heard.mock.calls).toEqual([[{ id: 'a' }]]);
  line.close();
});

it('a renewed line does not hear of its former socket, a closed one of none', () => {
  const line = new Line(use);
  const first = newest();
  first.opens();
  line.renew();
  expect(first.readyState).toBe(3);
  expect(first.onclose).toBeNull();
  newest().opens();
  expect(line.state.value).toBe('open');
  newest().breaks();
  line.close();
  vi.advanceTimersByTime(60_000);
  line.renew();
  expect([line.state.value, Socket.all.length]).toEqual(['closed', 2]);
});
