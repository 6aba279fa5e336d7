/** One connection to the server's media over the door `/one2many`, watched while it comes about. */

import { startingAt } from '../broadcast/start-rate';
import { readMessage } from '../broadcast/words';
import { doorUrl } from '../p2p/line';
import type { RawStat } from '../lib/stats';
import { addressesIn, onlyOver } from './sdp';
import { type Sample, sampleOf } from './stats';

export interface ConnectUse {
  role: 'presenter' | 'viewer';
  room: string;
  token: string | null;
  rtc: RTCConfiguration;
  /** Only the server's addresses of this protocol count; else all. */
  over?: 'udp' | 'tcp';
  /** What goes over it is added here. */
  prepare: (pc: RTCPeerConnection) => void;
}

/** `absent`: the server names no address of that protocol. `refused`: it answers no offer. */
export type Outcome = 'connected' | 'failed' | 'absent' | 'refused';

/** So that a picture of some size is there at once, not after ten seconds. */
const START_KBPS = 1_000;

export class Connection {
  readonly pc: RTCPeerConnection;
  /** What the server named. */
  addresses: string[] = [];
  /** The worst that the browser said of a relay. */
  code = 0;
  took_ms: number | null = null;
  /** Why the server refused, in its own words. */
  sentence = '';
  readonly #use: ConnectUse;
  #socket: WebSocket | null = null;
  #settle: (outcome: Outcome) => void = () => undefined;

  constructor(use: ConnectUse) {
    this.#use = use;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', ...use.rtc });
    this.pc.addEventListener('icecandidateerror', ({ errorCode }) => {
      // An answer of the relay says more than that there was none.
      if (this.code === 0 || this.code === 701) this.code = errorCode;
    });
    use.prepare(this.pc);
  }

  async open(msMax: number): Promise<Outcome> {
    const from_ms = performance.now();
    const timer = setTimeout(() => this.#settle(this.addresses.length > 0 ? 'failed' : 'refused'), msMax);
    const outcome = await new Promise<Outcome>((settle) => {
      this.#settle = settle;
      this.#watch();
      this.#talk();
    });
    clearTimeout(timer);
    if (outcome === 'connected') this.took_ms = Math.round(performance.now() - from_ms);
    return outcome;
  }

  async sample(): Promise<Sample> {
    return sampleOf([...((await this.pc.getStats()) as unknown as Map<string, RawStat>).values()]);
  }

  close(): void {
    this.#settle('failed');
    const socket = this.#socket;
    this.#socket = null;
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ id: 'stop' }));
    socket?.close();
    this.pc.close();
  }

  #watch(): void {
    this.pc.addEventListener('connectionstatechange', () => {
      if (this.pc.connectionState === 'connected') this.#settle('connected');
      if (this.pc.connectionState === 'failed') this.#settle('failed');
    });
    let found = false;
    this.pc.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.candidate) found = true;
      // Nothing but a relay may be used, and there is none: nobody needs to wait for more.
      if (candidate === null && !found && this.#use.rtc.iceTransportPolicy === 'relay') this.#settle('failed');
    });
  }

  #talk(): void {
    const { role, room, token } = this.#use;
    const socket = new WebSocket(doorUrl('/one2many', { room, wait: role === 'viewer' ? '1' : null, seat: role === 'presenter' ? crypto.randomUUID() : null, access_token: token }));
    this.#socket = socket;
    socket.onopen = () => void this.#offer(socket);
    socket.onmessage = ({ data }) => void this.#heard(String(data));
    socket.onclose = () => this.#settle('refused');
  }

  async #offer(socket: WebSocket): Promise<void> {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    socket.send(JSON.stringify({ id: this.#use.role, sdpOffer: this.pc.localDescription?.sdp ?? '' }));
  }

  async #heard(data: string): Promise<void> {
    const said: unknown = JSON.parse(data);
    const message = typeof said === 'object' && said !== null ? readMessage(said as Record<string, unknown>) : null;
    if (message?.id === 'rejected') {
      this.sentence = message.sentence;
      this.#settle('refused');
    }
    if (message?.id !== 'accepted') return;
    const { over } = this.#use;
    this.addresses = addressesIn(message.sdp)
      .filter(({ protocol }) => over === undefined || protocol === over)
      .map(({ address }) => address);
    if (this.addresses.length === 0) return this.#settle('absent');
    const sdp = startingAt(over === undefined ? message.sdp : onlyOver(message.sdp, over), START_KBPS);
    try {
      await this.pc.setRemoteDescription({ type: 'answer', sdp });
    } catch {
      this.#settle('failed');
    }
  }
}
