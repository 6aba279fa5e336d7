/** Sound and picture by way of the server, where none leads from page to page: each of the two is in the room once more, with its media. */

import { effect, type ReadonlySignal, signal } from '@preact/signals';
import { ConnectionState, type RemoteParticipant, Room, RoomEvent, Track } from 'livekit-client';
import { connections } from '../room/connections';
import type { Sources } from './call';
import type { Role } from './words';

const AGAIN_MS = 4_000;
const KINDS = { audio: Track.Source.Microphone, video: Track.Source.Camera } as const;

type Kind = keyof typeof KINDS;

export interface ByServerUse {
  role: Role;
  sources: Sources;
  /** As the server gave it; a newer one, if there is one. */
  token: () => string | null;
}

/** Who somebody is where his media goes through the server: the door adds this to his seat's name. */
export function mediaIdentity(role: Role): string {
  return `ertc-${role}-media`;
}

export class ByServer {
  /** What comes from the other. */
  readonly stream = signal<MediaStream | null>(null);
  readonly state = signal<RTCPeerConnectionState>('new');
  readonly #room = new Room({ adaptiveStream: false, dynacast: false, stopLocalTrackOnUnpublish: false, publishDefaults: { videoCodec: 'vp8', simulcast: true, red: true, dtx: true } });
  readonly #other: string;
  readonly #stops: Array<() => void> = [];
  #queue: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(readonly use: ByServerUse) {
    this.#other = mediaIdentity(use.role === 'expert' ? 'member' : 'expert');
    this.#listen();
    void this.#connect();
  }

  /** By which the other's sound and picture come. */
  get pc(): RTCPeerConnection | null {
    return connections(this.#room).at(-1) ?? null;
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    for (const stop of this.#stops.splice(0)) stop();
    this.stream.value = null;
    this.state.value = 'closed';
    // The camera and the microphone are not this connection's own.
    void this.#room.disconnect(false);
  }

  #listen(): void {
    const wish = (person: RemoteParticipant): void => {
      if (person.identity !== this.#other) return;
      for (const publication of person.trackPublications.values()) publication.setSubscribed(true);
    };
    const gather = (): void => {
      const tracks = [...(this.#room.remoteParticipants.get(this.#other)?.trackPublications.values() ?? [])].flatMap(({ track }) => (track ? [track.mediaStreamTrack] : []));
      this.stream.value = tracks.length > 0 ? new MediaStream(tracks) : null;
    };
    this.#room
      .on(RoomEvent.ParticipantConnected, wish)
      .on(RoomEvent.TrackPublished, (_publication, person) => wish(person))
      .on(RoomEvent.TrackSubscribed, gather)
      .on(RoomEvent.TrackUnsubscribed, gather)
      .on(RoomEvent.ParticipantDisconnected, gather)
      .on(RoomEvent.ConnectionStateChanged, (state) => this.#became(state));
  }

  #became(state: ConnectionState): void {
    if (this.#isOver) return;
    if (state === ConnectionState.Connected) this.state.value = 'connected';
    else if (state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting) this.state.value = 'disconnected';
    else if (state === ConnectionState.Disconnected) this.#failed();
  }

  async #connect(): Promise<void> {
    const token = this.use.token();
    if (token === null) return this.#failed();
    if (this.state.value === 'new') this.state.value = 'connecting';
    try {
      await this.#room.connect(location.origin.replace(/^http/, 'ws'), token, { autoSubscribe: false });
    } catch (error) {
      console.warn('by the server', error);
      return this.#failed();
    }
    if (this.#isOver) return void this.#room.disconnect(false);
    for (const person of this.#room.remoteParticipants.values()) if (person.identity === this.#other) for (const publication of person.trackPublications.values()) publication.setSubscribed(true);
    if (this.#stops.length === 0) for (const kind of ['audio', 'video'] as const) this.#feed(kind, this.use.sources[kind]);
  }

  /** The SDK itself gave up: it starts from the beginning, for as long as the two want to see each other. */
  #failed(): void {
    if (this.#isOver || this.state.value === 'failed') return;
    for (const stop of this.#stops.splice(0)) stop();
    this.stream.value = null;
    this.state.value = 'failed';
    this.#again();
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#connect().then(() => {
        if (!this.#isOver && this.state.value === 'failed') this.#again();
      });
    }, AGAIN_MS);
  }

  /** What the signal holds is what is sent: nothing while it holds nothing. */
  #feed(kind: Kind, source: ReadonlySignal<MediaStreamTrack | null>): void {
    let sent: MediaStreamTrack | null = null;
    this.#stops.push(
      effect(() => {
        const next = source.value;
        this.#queue = this.#queue
          .then(async () => {
            const me = this.#room.localParticipant;
            if (this.#isOver || sent === next) return;
            if (sent) await me.unpublishTrack(sent, false);
            sent = next;
            if (next) await me.publishTrack(next, { source: KINDS[kind] });
          })
          .catch((error: unknown) => console.warn('by the server', error));
      }),
    );
  }
}
