/** One peer connection: descriptions and candidates in any order they come. */

import { effect, type ReadonlySignal, signal } from '@preact/signals';

/** The server is reached by its own addresses. */
const PLAIN: RTCConfiguration = { iceServers: [], iceTransportPolicy: 'all' };

export class Peer {
  readonly pc: RTCPeerConnection;
  readonly state = signal<RTCPeerConnectionState>('new');
  #early: RTCIceCandidateInit[] = [];
  #stops: Array<() => void> = [];

  constructor(
    onCandidate: (candidate: RTCIceCandidate) => void,
    configuration = PLAIN,
    /** There will be no more, until a way is looked for again. */
    onGathered: () => void = () => undefined,
  ) {
    this.pc = new RTCPeerConnection(whole(configuration));
    this.pc.onicecandidate = ({ candidate }) => {
      if (!candidate) return onGathered();
      if (candidate.candidate === '') return;
      // Whatever a browser makes of the policy.
      if (this.pc.getConfiguration().iceTransportPolicy === 'relay' && candidate.type !== 'relay') return;
      onCandidate(candidate);
    };
    this.pc.onconnectionstatechange = () => {
      this.state.value = this.pc.connectionState;
    };
  }

  /** What the signal holds is what is sent: nothing while it holds nothing. */
  feed(sender: RTCRtpSender, track: ReadonlySignal<MediaStreamTrack | null>): void {
    this.#stops.push(
      effect(() => {
        const next = track.value;
        // A connection that is closed meanwhile needs no track.
        void sender.replaceTrack(next).catch(() => undefined);
      }),
    );
  }

  /** Counts when a way is looked for the next time. */
  configure(configuration: RTCConfiguration): void {
    this.pc.setConfiguration(whole(configuration));
  }

  async offer(options: RTCOfferOptions = {}): Promise<string> {
    await this.pc.setLocalDescription(await this.pc.createOffer(options));
    return this.pc.localDescription?.sdp ?? '';
  }

  /** `prepare`: what is sent back is decided between the offer and its answer. */
  async answer(offer: string, prepare: () => void): Promise<string> {
    await this.accept('offer', offer);
    prepare();
    await this.pc.setLocalDescription();
    return this.pc.localDescription?.sdp ?? '';
  }

  async accept(type: 'offer' | 'answer', sdp: string): Promise<void> {
    await this.pc.setRemoteDescription({ type, sdp });
    for (const candidate of this.#early.splice(0)) await this.#add(candidate);
  }

  async candidate(candidate: RTCIceCandidateInit): Promise<void> {
    if (this.pc.remoteDescription) await this.#add(candidate);
    else this.#early.push(candidate);
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.pc.onicecandidate = this.pc.onconnectionstatechange = this.pc.ontrack = null;
    this.pc.close();
  }

  async #add(candidate: RTCIceCandidateInit): Promise<void> {
    // One that belongs to a former description, or that nobody understands, is none: the others still count.
    await this.pc.addIceCandidate(candidate).catch(() => undefined);
  }
}

function whole(configuration: RTCConfiguration): RTCConfiguration {
  return { ...configuration, bundlePolicy: 'max-bundle' };
}
