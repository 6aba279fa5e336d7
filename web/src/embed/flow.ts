/** Whether something arrives is seen in what arrives: that holds for any server. */

export type FlowState = 'waiting' | 'live' | 'ended';

const POLL_MS = 500;
/** Something came before; nothing has come since. */
const SILENT_POLLS_MAX = 8;
const EMPTY_POLLS_MAX = 3;
const STRAY_POLLS_MAX = 3;

export class Flow {
  #packets = 0;
  #silent = 0;
  #limit = EMPTY_POLLS_MAX;
  /** The server said that nobody publishes. */
  #isOver = false;
  #strays = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly pc: RTCPeerConnection,
    private readonly signal: AbortSignal,
    private wasLive: boolean,
    private readonly told: (state: FlowState) => void,
  ) {
    signal.addEventListener('abort', () => clearInterval(this.#timer));
  }

  connected(): void {
    this.#silent = 0;
    this.#limit = EMPTY_POLLS_MAX;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.#poll(), POLL_MS);
  }

  notice(isActive: boolean): void {
    this.#isOver = !isActive;
    this.#silent = this.#strays = 0;
    if (this.#isOver) this.#quiet();
  }

  async #poll(): Promise<void> {
    const stats = await this.pc.getStats().catch(() => null);
    if (this.signal.aborted || this.pc.connectionState !== 'connected') return;
    let packets = 0;
    stats?.forEach((stat: { type: string; packetsReceived?: number }) => {
      if (stat.type === 'inbound-rtp') packets += stat.packetsReceived ?? 0;
    });
    const flows = packets > this.#packets;
    this.#packets = packets;
    if (!flows) {
      if (++this.#silent >= this.#limit) this.#quiet();
      return;
    }
    // What was on its way when somebody stopped is no beginning; what goes on coming is.
    if (this.#isOver && ++this.#strays <= STRAY_POLLS_MAX) return;
    this.#isOver = false;
    this.#silent = 0;
    this.#limit = SILENT_POLLS_MAX;
    this.wasLive = true;
    this.told('live');
  }

  #quiet(): void {
    this.#limit = EMPTY_POLLS_MAX;
    this.told(this.#isOver && this.wasLive ? 'ended' : 'waiting');
  }
}
