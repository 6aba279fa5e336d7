/** One way in or out, kept alive: asked for, restarted when the network changes, asked for again when it is lost. */

import { fragment, restarted } from './fragment';
import { iceServers, type Link } from './links';
import { backOff, type Kind, outcomeOf, type Reason } from './outcome';
import { Refused, Resource } from './resource';

/** `waiting`: connected, or asked for, and nobody publishes. `ended`: somebody did. `reconnecting`: it goes on by itself. */
export type State = 'idle' | 'connecting' | 'waiting' | 'live' | 'reconnecting' | 'ended' | 'refused';

export interface Told {
  state: State;
  reason: Reason | '';
  /** The server's own words, where it refused. */
  sentence: string;
}

export interface Wish {
  kind: Kind;
  endpoint: string;
  token: string;
  /** Puts in what is to be received or sent. */
  prepare(pc: RTCPeerConnection): void;
  /** A session began; `signal` says when it is over. */
  opened?(pc: RTCPeerConnection, resource: Resource, signal: AbortSignal): void;
  /** There is a way, for the first time or again. */
  connected(): void;
  told(told: Told): void;
}

type Timer = 'deadline' | 'again' | 'tremble' | 'trickle';

const CONNECT_MS_MAX = 15_000;
const RESTART_MS_MAX = 8_000;
/** A line that trembles is none that broke. */
const TREMBLE_MS_MAX = 2_000;
const TRICKLE_MS = 80;
/** Who comes early sees the beginning soon. */
const WAITING_ATTEMPT_MAX = 2;

export class Line {
  #pc: RTCPeerConnection | null = null;
  #resource: Resource | null = null;
  #over = new AbortController();
  /** Whatever belongs to an earlier one is stale. */
  #turn = 0;
  #attempt = 0;
  #told = '';
  #timers = new Map<Timer, ReturnType<typeof setTimeout>>();
  #candidates: string[] = [];
  #gathered = false;
  #isRestarting = false;
  #isConnected = false;
  #links: readonly Link[] = [];

  constructor(private readonly wish: Wish) {}

  start(): void {
    this.#drop();
    this.#attempt = 0;
    this.tell('connecting');
    void this.#open();
  }

  stop(): void {
    this.#drop();
    this.tell('idle');
  }

  /** The network is another one, or is back. */
  networkChanged(): void {
    if (this.#isConnected || this.#pc?.iceConnectionState === 'disconnected') void this.#restart();
    else if (this.#timers.has('again')) {
      this.#clear('again');
      void this.#open();
    }
  }

  tell(state: State, reason: Reason | '' = '', sentence = ''): void {
    const told = { state, reason, sentence };
    const key = JSON.stringify(told);
    if (key === this.#told) return;
    this.#told = key;
    this.wish.told(told);
  }

  async #open(): Promise<void> {
    const turn = ++this.#turn;
    const { kind, endpoint, token, prepare, opened } = this.wish;
    let pc: RTCPeerConnection | null = null;
    try {
      // Only after a failure: those who tell of relays tell with their answer.
      if (this.#attempt > 0 && iceServers(this.#links).length === 0) this.#links = await Resource.options(endpoint, token);
      if (turn !== this.#turn) return;
      pc = this.#pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers: iceServers(this.#links) });
      this.#watch(pc, turn);
      prepare(pc);
      const offer = await pc.createOffer();
      if (turn !== this.#turn) return;
      const resource = await Resource.open(endpoint, token, offer.sdp ?? '');
      if (turn !== this.#turn) return resource.close();
      this.#resource = resource;
      if (iceServers(resource.links).length > 0) this.#links = resource.links;
      // Before candidates are looked for, so that they are looked for at those relays.
      this.#configure(pc);
      await pc.setLocalDescription(offer);
      await pc.setRemoteDescription({ type: 'answer', sdp: resource.answer });
      if (turn !== this.#turn) return;
      this.#later('deadline', CONNECT_MS_MAX, () => this.#again());
      opened?.(pc, resource, this.#over.signal);
      this.#flushLater();
    } catch (error) {
      if (turn === this.#turn) this.#failed(kind, error);
    } finally {
      if (turn !== this.#turn) pc?.close();
    }
  }

  #failed(kind: Kind, error: unknown): void {
    if (!(error instanceof Refused)) {
      // A description that a browser cannot use will not be another one the next time.
      if (error instanceof DOMException && /^(Inv|Op|Sy|Not)/.test(error.name)) this.#refuse('unsupported', error.message);
      else this.#again();
      return;
    }
    const { sentence, after_ms } = error;
    const outcome = outcomeOf(kind, error.status, sentence);
    if (outcome === 'again') this.#again(after_ms, 'reconnecting', sentence);
    else if (outcome === 'waiting') this.#again(after_ms, outcome, sentence);
    else this.#refuse(outcome, sentence);
  }

  #refuse(reason: Reason, sentence: string): void {
    this.#drop();
    this.tell('refused', reason, sentence);
  }

  /** From the beginning, after a while. */
  #again(after_ms = 0, state: State = 'reconnecting', sentence = ''): void {
    this.#drop();
    this.tell(state, '', sentence);
    const attempt = state === 'reconnecting' ? this.#attempt++ : Math.min(this.#attempt++, WAITING_ATTEMPT_MAX);
    this.#later('again', Math.max(after_ms, backOff(attempt, Math.random())), () => void this.#open());
  }

  #drop(): void {
    this.#turn++;
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
    this.#over.abort();
    this.#over = new AbortController();
    this.#resource?.close();
    this.#resource = null;
    if (this.#pc) {
      this.#pc.onicecandidate = this.#pc.onconnectionstatechange = null;
      this.#pc.close();
      this.#pc = null;
    }
    this.#candidates = [];
    this.#gathered = this.#isRestarting = this.#isConnected = false;
  }

  #watch(pc: RTCPeerConnection, turn: number): void {
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#candidates.push(candidate.candidate);
      else if (!candidate) this.#gathered = true;
      this.#flushLater();
    };
    pc.onconnectionstatechange = () => {
      if (turn !== this.#turn) return;
      const state = pc.connectionState;
      this.#clear('tremble');
      if (state === 'connected') this.#connected();
      else if (state === 'disconnected') this.#later('tremble', TREMBLE_MS_MAX, () => void this.#restart());
      else if (state === 'failed') {
        if (this.#isConnected) void this.#restart();
        else this.#again();
      }
    };
  }

  #connected(): void {
    this.#clear('deadline');
    this.#isConnected = true;
    this.#attempt = 0;
    this.wish.connected();
  }

  /** The same session over another way. */
  async #restart(): Promise<void> {
    const [pc, resource, turn] = [this.#pc, this.#resource, this.#turn];
    if (!pc || !resource || this.#isRestarting) return;
    this.#isRestarting = true;
    this.#candidates = [];
    this.#gathered = false;
    this.tell('reconnecting');
    this.#later('deadline', RESTART_MS_MAX, () => this.#again());
    try {
      this.#configure(pc);
      await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
      const piece = await resource.restart(fragment(pc.localDescription?.sdp ?? '', [], false));
      if (turn !== this.#turn) return;
      const answer = restarted(pc.currentRemoteDescription?.sdp ?? '', piece);
      if (answer === null) throw new Error('no credentials');
      await pc.setRemoteDescription({ type: 'answer', sdp: answer });
      if (turn !== this.#turn) return;
      this.#isRestarting = false;
      this.#flushLater();
      if (pc.connectionState === 'connected') this.#connected();
    } catch {
      if (turn === this.#turn) this.#again();
    }
  }

  #flushLater(): void {
    if (!this.#timers.has('trickle')) this.#later('trickle', TRICKLE_MS, () => this.#flush());
  }

  #flush(): void {
    if (!this.#resource || !this.#pc || this.#isRestarting || !this.#pc.remoteDescription) return;
    if (this.#candidates.length === 0 && !this.#gathered) return;
    const piece = fragment(this.#pc.localDescription?.sdp ?? '', this.#candidates.splice(0), this.#gathered);
    this.#gathered = false;
    void this.#resource.trickle(piece);
  }

  #configure(pc: RTCPeerConnection): void {
    try {
      pc.setConfiguration({ bundlePolicy: 'max-bundle', iceServers: iceServers(this.#links) });
    } catch {
      // An address of a relay that this browser does not understand: the others' way is the straight one.
    }
  }

  #later(name: Timer, ms: number, work: () => void): void {
    this.#clear(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        work();
      }, ms),
    );
  }

  #clear(name: Timer): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
