/**
 * Sound and picture between the two browsers. The expert's page always offers, so that no two offers ever meet; the member's asks for
 * one. Each connection has an id and each offer a number: what belongs to former ones is passed over.
 */

import { type ReadonlySignal, signal } from '@preact/signals';
import { Peer } from '../p2p/peer';
import { randomId } from '../p2p/seat';
import type { Ways } from '../p2p/ways';
import type { Role, Said, Word } from './words';

export interface Sources {
  audio: ReadonlySignal<MediaStreamTrack | null>;
  video: ReadonlySignal<MediaStreamTrack | null>;
}

export class Call {
  /** What comes from the other. */
  readonly stream = signal<MediaStream | null>(null);
  readonly state = signal<RTCPeerConnectionState>('new');
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
        await this.#peer?.candidate({ candidate: word.candidate ?? '', sdpMid: word.id, sdpMLineIndex: Number.isSafeInteger(index) ? index : 0 });
      }
    });
  }

  drop(): void {
    this.#do(async () => this.#close());
  }

  #open(id: string): Peer {
    this.#close();
    this.#id = id;
    const peer = new Peer(({ candidate, sdpMid, sdpMLineIndex }) => {
      this.say({ type: 'candidate', nick: id, id: sdpMid, label: String(sdpMLineIndex ?? 0), candidate });
    }, this.#configuration());
    this.#peer = peer;
    const stream = new MediaStream();
    peer.pc.ontrack = ({ track }) => {
      stream.addTrack(track);
      this.stream.value = stream;
    };
    peer.state.subscribe((state) => {
      if (this.#peer === peer) this.state.value = state;
    });
    return peer;
  }

  #configuration(): RTCConfiguration {
    const ways = this.ways.peek();
    return { iceServers: ways?.iceServers ?? [], iceTransportPolicy: this.#isNarrow ? 'relay' : (ways?.policy ?? 'all') };
  }

  async #offer(peer: Peer, iceRestart: boolean): Promise<void> {
    if (iceRestart) peer.configure(this.#configuration());
    const sdp = await peer.offer({ iceRestart });
    this.say({ type: 'offer', id: this.#id, label: String(++this.#number), sdp });
  }

  async #offered({ id, label, sdp }: Word): Promise<void> {
    if (this.role !== 'member' || !sdp || !id) return;
    const isNew = this.#peer === null || id !== this.#id;
    const peer = this.#peer && !isNew ? this.#peer : this.#open(id);
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
    if (isAwaited && sdp) await peer.accept('answer', sdp);
  }

  #close(): void {
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
