/**
 * Sound and picture between the two browsers. The expert's page always offers, so that no two offers ever meet; the member's asks for
 * one. Each connection has an id and each offer a number: what belongs to former ones is passed over.
 */

import { type ReadonlySignal, signal } from '@preact/signals';
import { Peer } from '../p2p/peer';
import { randomId } from '../p2p/seat';
import type { Ways } from '../p2p/ways';
import { Search, type Whose } from './search';
import type { Role, Said, Word } from './words';

export interface Sources {
  audio: ReadonlySignal<MediaStreamTrack | null>;
  video: ReadonlySignal<MediaStreamTrack | null>;
}

/** `gathering`: nobody knows yet by which addresses. `spent`: none leads from one to the other. */
export type Looking = 'gathering' | 'checking' | 'spent';

export class Call {
  /** What comes from the other. */
  readonly stream = signal<MediaStream | null>(null);
  readonly state = signal<RTCPeerConnectionState>('new');
  /** The expert's page: how far the looking for a way has come. Nothing before the other answered, or when there is one. */
  readonly looking = signal<Looking | null>(null);
  #search: Search | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #peer: Peer | null = null;
  #id = '';
  #number = 0;
  /** Over a relay alone: the direct way says it is one, and nothing comes. */
  #isNarrow = false;
  /** One description after the other, however fast they come. */
  #queue: Promise<void> = Promise.resolve();

  constructor(
    readonly role: Role,
    readonly sources: Sources,
    readonly ways: ReadonlySignal<Ways | null>,
    readonly say: (said: Said) => boolean,
  ) {}

  get pc(): RTCPeerConnection | null {
    return this.#peer?.pc ?? null;
  }

  /** The expert's page: a new connection. */
  begin(isNarrow = false): void {
    this.#do(async () => {
      this.#isNarrow = isNarrow && (this.ways.peek()?.iceServers.length ?? 0) > 0;
      const peer = this.#open(randomId());
      for (const kind of ['audio', 'video'] as const) {
        peer.feed(peer.pc.addTransceiver(kind, { direction: 'sendrecv' }).sender, this.sources[kind]);
      }
      await this.#offer(peer, false);
    });
  }

  /** Looks for another way, or asks the other to. */
  mend(why: 'ice' | null = null): void {
    if (this.role === 'member') this.say({ type: 'RENEW', msg: why });
    else this.#do(async () => void (this.#peer && (await this.#offer(this.#peer, true))));
  }

  heard(word: Word): void {
    this.#do(async () => {
      if (word.type === 'offer') await this.#offered(word);
      else if (word.type === 'answer') await this.#answered(word);
      else if (word.type === 'candidate' && word.nick === this.#id) {
        const index = Number(word.label);
        this.#search?.found('other', word.candidate ?? '');
        await this.#peer?.candidate({ candidate: word.candidate ?? '', sdpMid: word.id, sdpMLineIndex: Number.isSafeInteger(index) ? index : 0 });
      } else if (word.type === 'GATHERED' && word.nick === this.#id && word.label === String(this.#number)) this.#ended('other');
    });
  }

  drop(): void {
    this.#do(async () => this.#close());
  }

  #open(id: string): Peer {
    this.#close();
    this.#id = id;
    const found = ({ candidate, sdpMid, sdpMLineIndex }: RTCIceCandidate): void => {
      this.#search?.found('own', candidate);
      this.say({ type: 'candidate', nick: id, id: sdpMid, label: String(sdpMLineIndex ?? 0), candidate });
    };
    const gathered = (): void => {
      if (this.role === 'expert') this.#ended('own');
      else this.say({ type: 'GATHERED', nick: id, label: String(this.#number) });
    };
    const peer = new Peer(found, this.#configuration(), gathered);
    this.#peer = peer;
    const stream = new MediaStream();
    peer.pc.ontrack = ({ track }) => {
      stream.addTrack(track);
      this.stream.value = stream;
    };
    peer.state.subscribe((state) => {
      if (this.#peer !== peer) return;
      if (state === 'connected') this.#look(null);
      this.state.value = state;
    });
    return peer;
  }

  #configuration(): RTCConfiguration {
    const ways = this.ways.peek();
    return { iceServers: ways?.iceServers ?? [], iceTransportPolicy: this.#isNarrow ? 'relay' : (ways?.policy ?? 'all') };
  }

  async #offer(peer: Peer, iceRestart: boolean): Promise<void> {
    if (iceRestart) peer.configure(this.#configuration());
    this.#look(new Search(performance.now()));
    const sdp = await peer.offer({ iceRestart });
    this.say({ type: 'offer', id: this.#id, label: String(++this.#number), sdp });
  }

  #look(search: Search | null): void {
    this.#search = search;
    clearTimeout(this.#timer);
    this.looking.value = null;
  }

  #ended(whose: Whose): void {
    this.#search?.ended(whose, performance.now());
    this.#await();
  }

  #await(): void {
    const spentAt_ms = this.#search?.spentAt_ms;
    if (spentAt_ms == null) return;
    this.looking.value = 'checking';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // It looked for another way while there was one.
      if (this.state.peek() === 'connected') this.#look(null);
      else this.looking.value = 'spent';
    }, spentAt_ms - performance.now());
  }

  async #offered({ id, label, sdp }: Word): Promise<void> {
    if (this.role !== 'member' || !sdp || !id) return;
    const isNew = this.#peer === null || id !== this.#id;
    const peer = this.#peer && !isNew ? this.#peer : this.#open(id);
    this.#number = Number(label);
    if (!isNew) peer.configure(this.#configuration());
    const answer = await peer.answer(sdp, () => {
      for (const transceiver of peer.pc.getTransceivers()) {
        transceiver.direction = 'sendrecv';
        const { kind } = transceiver.receiver.track;
        if (isNew && (kind === 'audio' || kind === 'video')) peer.feed(transceiver.sender, this.sources[kind]);
      }
    });
    this.say({ type: 'answer', id, label, sdp: answer });
  }

  async #answered({ id, label, sdp }: Word): Promise<void> {
    const peer = this.#peer;
    const isAwaited = peer && id === this.#id && label === String(this.#number) && peer.pc.signalingState === 'have-local-offer';
    if (!isAwaited || !sdp) return;
    this.#search?.answered(performance.now());
    if (this.#search) this.looking.value = 'gathering';
    this.#await();
    await peer.accept('answer', sdp);
  }

  #close(): void {
    this.#look(null);
    this.#peer?.close();
    this.#peer = null;
    this.#id = '';
    this.stream.value = null;
    this.state.value = 'new';
  }

  #do(work: () => Promise<void>): void {
    // A description that cannot be used is no reason to hear no other: the watch over what arrives mends it.
    this.#queue = this.#queue.then(work).catch((error: unknown) => console.warn('call', error));
  }
}
