/** Sound and picture of a session, whichever way they go: from page to page, or by way of the server. */

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { readWays, type Ways } from '../p2p/ways';
import type { ByServer } from './by-server';
import { Call, type Sources } from './call';
import { Ladder, type Standing } from './ladder';
import type { Role, Said, Word } from './words';

/** By then a way is found, mostly. */
const USUALLY_MS = 700;

export class Media {
  /** What the server told; nothing before it did. */
  readonly ways = signal<Ways | null>(null);
  readonly isByServer = signal(false);
  readonly call: Call;
  readonly #server = signal<ByServer | null>(null);
  readonly #unloaded = signal(false);
  readonly stream: ReadonlySignal<MediaStream | null>;
  readonly state: ReadonlySignal<RTCPeerConnectionState>;
  readonly #ladder = new Ladder();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly role: Role,
    readonly sources: Sources,
    readonly say: (said: Said) => boolean,
  ) {
    this.call = new Call(role, sources, this.ways, say);
    this.stream = computed(() => (this.isByServer.value ? (this.#server.value?.stream.value ?? null) : this.call.stream.value));
    this.state = computed(() => {
      if (!this.isByServer.value) return this.call.state.value;
      return this.#unloaded.value ? 'failed' : (this.#server.value?.state.value ?? 'connecting');
    });
  }

  get pc(): RTCPeerConnection | null {
    return this.isByServer.value ? (this.#server.value?.pc ?? null) : this.call.pc;
  }

  /** May sound and picture go by way of the server? */
  get hasServer(): boolean {
    return this.ways.value?.token != null;
  }

  /** True: what was relayed ended, with the line that it belonged to. */
  know(text: string | null): boolean {
    const ways = readWays(text);
    if (!ways) return false;
    const before = this.ways.value;
    this.ways.value = ways;
    return before !== null && holderOf(before) !== holderOf(ways);
  }

  /** The expert's page, when the two have met: a connection. */
  begin(): void {
    this.#ladder.begin(performance.now());
    this.call.begin();
    this.#prepare();
  }

  /** Looks for another way, or asks the other to. */
  mend(why: 'ice' | null = null): void {
    if (!this.isByServer.value) this.call.mend(why);
  }

  /** The expert's page: what is to be done about it now. True: sound and picture go by way of the server from now on. */
  climb(standing: Standing): boolean {
    if (this.isByServer.value) return false;
    const isSilent = this.call.state.value === 'connected';
    const step = this.#ladder.judge(performance.now(), this.#standing(standing), this.hasServer);
    if (step === 'restart') this.call.mend();
    // It says it is connected, and nothing comes: not that way.
    else if (step === 'anew') this.call.begin(isSilent);
    else if (step === 'server') this.goByServer();
    return step === 'server';
  }

  #prepare(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.hasServer && this.call.state.value !== 'connected') void load().catch(() => undefined);
    }, USUALLY_MS);
  }

  #standing(standing: Standing): Standing {
    const looking = this.call.looking.value;
    if (standing === 'well' || looking === null || looking === 'checking') return standing;
    return looking === 'spent' || standing === 'trying' ? looking : standing;
  }

  heard(word: Word): void {
    if (this.isByServer.value) return;
    this.call.heard(word);
    if (word.type === 'offer') this.#prepare();
  }

  /** From here on, to the end of the session. False: there already, or not in this room. */
  goByServer(): boolean {
    if (this.isByServer.value || !this.hasServer) return false;
    this.isByServer.value = true;
    this.call.drop();
    void this.#enter();
    return true;
  }

  /** The other is there as another page, or gone for good. */
  drop(): void {
    this.call.drop();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.call.drop();
    this.#server.value?.close();
    this.#server.value = null;
    this.isByServer.value = false;
  }

  async #enter(): Promise<void> {
    try {
      const { ByServer } = await load();
      if (!this.isByServer.value) return;
      this.#server.value = new ByServer({ role: this.role, sources: this.sources, token: () => this.ways.peek()?.token ?? null });
    } catch (error) {
      console.warn('by the server', error);
      this.#unloaded.value = true;
    }
  }
}

/** Fetched when it looks as if it were needed. */
const load = (): Promise<typeof import('./by-server')> => import('./by-server');

/** Whose relay it is: `expiry:participant`, and only the first half is renewed during a stay. */
function holderOf(ways: Ways): string {
  return ways.iceServers[0]?.username?.split(':')[1] ?? '';
}
