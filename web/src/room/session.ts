/** One stay in a room: the SDK's Room, and what the screen shows of it as signals. */

import { computed, signal } from '@preact/signals';
import {
  ConnectionError,
  ConnectionErrorReason,
  ConnectionState,
  type DisconnectReason,
  isAudioTrack,
  LocalAudioTrack,
  LocalVideoTrack,
  type Participant,
  type RemoteParticipant,
  Room,
  RoomEvent,
  RpcError,
  Track,
  type TrackPublication,
  UnsupportedServer,
  VideoPresets,
} from 'livekit-client';
import { t } from '../i18n';
import { withoutTokens } from '../lib/invite';
import { askWhyRefused } from '../lib/api';
import { type Ending, type ConnectFailure, endingOfFailure, endingOfReason } from '../lib/ending';
import { devices } from '../prefs';
import type { OpenTracks } from '../screens/preview';
import { notify } from '../ui/notices';
import { Conversation } from './conversation';
import { MicEar } from './mic-ear';
import { Observer } from './observer';
import { handsOf, nameOf, peopleOf, tilesOf } from './views';

declare global {
  interface Window {
    /** For tests and the browser's console: the SDK's room of the current stay. */
    __madang?: { room?: Room; counsel?: unknown; studio?: unknown };
  }
}

/** Newcomers and leavers are told one by one up to this many people; a crowd would drown everything else. */
const TOLD_PEOPLE_MAX = 12;

type TrackSource = ReturnType<typeof Track.sourceToProto>;

export class Session {
  readonly room: Room;
  readonly conversation: Conversation;
  readonly observer: Observer;
  readonly ear: MicEar;

  readonly #revision = signal(0);
  #bumped = false;
  readonly speaking = signal<ReadonlySet<string>>(new Set());
  readonly connection = signal<ConnectionState>(ConnectionState.Disconnected);
  readonly audioBlocked = signal(false);
  /** Kinds of capture whose switch was pressed and has not settled yet. */
  readonly busy = signal<ReadonlySet<string>>(new Set());
  /** What was switched on in the anteroom and is still on its way out. */
  readonly opening = signal<ReadonlySet<'mic' | 'camera'>>(new Set());
  readonly facing = signal<'user' | 'environment'>('user');

  readonly people = computed(() => {
    this.#revision.value;
    return peopleOf(this.room);
  });
  readonly tiles = computed(() => {
    this.#revision.value;
    return tilesOf(this.room, this.speaking.value);
  });
  readonly hands = computed(() => handsOf(this.people.value));
  readonly me = computed(() => this.people.value.find((person) => person.local));
  readonly micOn = computed(() => this.opening.value.has('mic') || (this.me.value?.mic ?? false));
  readonly cameraOn = computed(() => this.opening.value.has('camera') || (this.me.value?.camera ?? false));
  readonly permitted = computed(() => {
    this.#revision.value;
    const permissions = this.room.localParticipant.permissions;
    const sources: readonly TrackSource[] = permissions?.canPublishSources ?? [];
    const may = (source: Track.Source): boolean => (permissions?.canPublish ?? true) && (sources.length === 0 || sources.includes(Track.sourceToProto(source)));
    return {
      mic: may(Track.Source.Microphone),
      camera: may(Track.Source.Camera),
      screen: may(Track.Source.ScreenShare),
      data: permissions?.canPublishData ?? true,
      hand: permissions?.canUpdateMetadata ?? true,
    };
  });
  readonly audioTracks = computed(() => {
    this.#revision.value;
    return [...this.room.remoteParticipants.values()].flatMap((person) =>
      [...person.audioTrackPublications.values()].flatMap((publication) => {
        const track = publication.track;
        return track && isAudioTrack(track) ? [{ key: publication.trackSid, track }] : [];
      }),
    );
  });

  readonly #queues = new Map<string, Promise<void>>();
  #live = false;
  #wakeLock: WakeLockSentinel | null = null;
  /** Whether a muting of our microphone that we see was our own. */
  #ownMute = false;

  constructor(
    readonly name: string,
    readonly onEnd: (ending: Ending, detail: string) => void,
  ) {
    this.room = new Room({
      adaptiveStream: true,
      dynacast: true,
      videoCaptureDefaults: { resolution: VideoPresets.h720.resolution },
      publishDefaults: { videoCodec: 'vp8', simulcast: true, scalabilityMode: 'L1T3', red: true, dtx: true },
    });
    this.conversation = new Conversation(this.room);
    this.ear = new MicEar(this.room);
    this.observer = new Observer(this.room);
    this.#listen();
  }

  /** Enters. Returns why not, or nothing on success. */
  async join(url: string, token: string, tracks: OpenTracks, name: string): Promise<{ ending: Ending; detail: string } | null> {
    this.conversation.register();
    try {
      await this.room.connect(url, token);
    } catch (error) {
      tracks.audio?.stop();
      tracks.video?.stop();
      const failure = await this.#explain(describe(error), token);
      return { ending: endingOfFailure(failure), detail: failure.message };
    }
    this.#live = true;
    window.__madang = { room: this.room };
    this.observer.start();
    this.#bump();
    void this.#afterJoin(tracks, name);
    return null;
  }

  async leave(): Promise<void> {
    await this.room.disconnect();
  }

  async setMic(on: boolean): Promise<void> {
    const { deviceId } = chosen(devices.microphone.value);
    await this.#switch('mic', t.value.notice.micFailed, async () => {
      this.#ownMute = true;
      try {
        await this.room.localParticipant.setMicrophoneEnabled(on, deviceId ? { deviceId } : undefined);
      } finally {
        this.#ownMute = false;
      }
    });
  }

  async setCamera(on: boolean): Promise<void> {
    const { deviceId } = chosen(devices.camera.value);
    await this.#switch('camera', t.value.notice.camFailed, () =>
      this.room.localParticipant.setCameraEnabled(on, { resolution: VideoPresets.h720.resolution, ...(deviceId ? { deviceId } : { facingMode: this.facing.value }) }),
    );
  }

  async setScreen(on: boolean): Promise<void> {
    await this.#switch('screen', t.value.notice.screenFailed, () =>
      this.room.localParticipant.setScreenShareEnabled(on, { audio: true, contentHint: 'detail', surfaceSwitching: 'include', selfBrowserSurface: 'include' }),
    );
  }

  async setHand(up: boolean): Promise<void> {
    if (!this.permitted.value.hand) return notify(t.value.notice.notAllowed, 'hand');
    try {
      await this.room.localParticipant.setAttributes({ hand: up ? String(Date.now()) : '' });
    } catch {
      notify(t.value.notice.handFailed, 'alert');
    }
    this.#bump();
  }

  async flipCamera(): Promise<void> {
    const track = this.room.localParticipant.getTrackPublication(Track.Source.Camera)?.videoTrack;
    this.facing.value = this.facing.value === 'user' ? 'environment' : 'user';
    devices.camera.value = '';
    if (!(track instanceof LocalVideoTrack)) return;
    await this.#switch('camera', t.value.notice.camFailed, () => track.restartTrack({ facingMode: this.facing.value, resolution: VideoPresets.h720.resolution }));
  }

  async useDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    const stored = { audioinput: devices.microphone, videoinput: devices.camera, audiooutput: devices.speaker }[kind];
    stored.value = deviceId;
    try {
      await this.room.switchActiveDevice(kind, deviceId || 'default', false);
    } catch {
      notify(t.value.notice.deviceFailed, 'alert');
    }
    this.#bump();
  }

  async hear(): Promise<void> {
    await this.room.startAudio().catch(() => undefined);
    this.audioBlocked.value = !this.room.canPlaybackAudio;
  }

  async #afterJoin(tracks: OpenTracks, name: string): Promise<void> {
    const may = this.permitted.value;
    if (!may.mic) tracks.audio?.stop();
    if (!may.camera) tracks.video?.stop();
    const audio = may.mic && tracks.audio ? new LocalAudioTrack(tracks.audio, captureOf(devices.microphone.value), false) : null;
    const video = may.camera && tracks.video ? new LocalVideoTrack(tracks.video, captureOf(devices.camera.value, true), false) : null;
    const publishing = [audio && this.#publish('mic', audio, Track.Source.Microphone), video && this.#publish('camera', video, Track.Source.Camera)];
    const me = this.room.localParticipant;
    // A token without a name leaves the naming to its holder, where it may.
    if (name && !me.name) void me.setName(name).catch(() => undefined);
    if (devices.speaker.value) void this.room.switchActiveDevice('audiooutput', devices.speaker.value, false).catch(() => undefined);
    void this.#keepAwake();
    void this.conversation.askForHistory();
    await Promise.all(publishing);
    this.#bump();
  }

  async #explain(failure: ConnectFailure, token: string): Promise<ConnectFailure> {
    if (!VAGUE.has(failure.kind) || failure.status !== undefined) return failure;
    const told = await askWhyRefused(token);
    return told ? { ...failure, status: told.status, message: withoutTokens(told.message) || failure.message } : failure;
  }

  /** In the same queue as the switches: who presses the button meanwhile is heard afterwards. */
  async #publish(what: 'mic' | 'camera', track: LocalAudioTrack | LocalVideoTrack, source: Track.Source): Promise<void> {
    this.opening.value = new Set([...this.opening.value, what]);
    await this.#switch(what, what === 'mic' ? t.value.notice.micFailed : t.value.notice.camFailed, async () => {
      try {
        await this.room.localParticipant.publishTrack(track, { source });
      } catch (error) {
        track.stop();
        throw error;
      } finally {
        this.opening.value = new Set([...this.opening.value].filter((each) => each !== what));
      }
    });
  }

  /** One after the other for each kind: a key released at once must not overtake its press. */
  #switch(what: string, failed: string, act: () => Promise<unknown>): Promise<void> {
    const done = (this.#queues.get(what) ?? Promise.resolve()).then(() => this.#attempt(what, failed, act));
    this.#queues.set(what, done);
    return done;
  }

  async #attempt(what: string, failed: string, act: () => Promise<unknown>): Promise<void> {
    this.busy.value = new Set([...this.busy.value, what]);
    try {
      await act();
    } catch (error) {
      const cancelled = what === 'screen' && error instanceof Error && error.name === 'NotAllowedError' && !/system/i.test(error.message);
      if (!cancelled) notify(refusedByGrant(error) ? t.value.notice.notAllowed : failed, 'alert');
    } finally {
      this.busy.value = new Set([...this.busy.value].filter((each) => each !== what));
      this.#bump();
    }
  }

  #listen(): void {
    const bump = (): void => this.#bump();
    const { room } = this;
    for (const event of CHANGES) room.on(event, bump);
    room
      .on(RoomEvent.ConnectionStateChanged, (state: ConnectionState) => {
        this.connection.value = state;
      })
      .on(RoomEvent.ActiveSpeakersChanged, (speakers: Participant[]) => {
        this.speaking.value = new Set(speakers.map((person) => person.identity));
      })
      .on(RoomEvent.AudioPlaybackStatusChanged, () => {
        this.audioBlocked.value = !room.canPlaybackAudio;
      })
      .on(RoomEvent.ParticipantConnected, (person: RemoteParticipant) => this.#tell(t.value.notice.joined(nameOf(person))))
      .on(RoomEvent.ParticipantDisconnected, (person: RemoteParticipant) => this.#tell(t.value.notice.left(nameOf(person))))
      .on(RoomEvent.TrackPublished, (publication: TrackPublication, person: RemoteParticipant) => {
        if (publication.source === Track.Source.ScreenShare) notify(t.value.notice.sharing(nameOf(person)), 'screen');
      })
      .on(RoomEvent.ParticipantAttributesChanged, (changed: Record<string, string>, person: Participant) => {
        if (changed['hand'] && !person.isLocal) notify(t.value.notice.raised(nameOf(person)), 'hand');
      })
      .on(RoomEvent.TrackMuted, (publication: TrackPublication, person: Participant) => {
        if (person.isLocal && publication.source === Track.Source.Microphone && !this.#ownMute) notify(t.value.notice.mutedByHost, 'micOff');
      })
      .on(RoomEvent.Disconnected, (reason?: DisconnectReason) => this.#over(reason));
    document.addEventListener('visibilitychange', this.#onVisible);
  }

  #tell(text: string): void {
    if (this.room.remoteParticipants.size <= TOLD_PEOPLE_MAX) notify(text);
  }

  #over(reason: DisconnectReason | undefined): void {
    // While entering, the refusal itself tells more than this event.
    if (!this.#live) return;
    this.#live = false;
    this.observer.stop();
    this.ear.stop();
    this.conversation.unregister();
    document.removeEventListener('visibilitychange', this.#onVisible);
    void this.#wakeLock?.release().catch(() => undefined);
    this.onEnd(endingOfReason(reason), '');
  }

  readonly #onVisible = (): void => {
    if (document.visibilityState === 'visible') void this.#keepAwake();
  };

  async #keepAwake(): Promise<void> {
    if (!this.#live || !('wakeLock' in navigator)) return;
    this.#wakeLock = await navigator.wakeLock.request('screen').catch(() => null);
  }

  /** Many events come at once: the views are remade once per turn. */
  #bump(): void {
    if (this.#bumped) return;
    this.#bumped = true;
    queueMicrotask(() => {
      this.#bumped = false;
      this.#revision.value++;
      this.ear.follow();
    });
  }
}

const CHANGES = [
  RoomEvent.Connected,
  RoomEvent.Reconnected,
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantActive,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackStreamStateChanged,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.ParticipantPermissionsChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.ActiveDeviceChanged,
  RoomEvent.MediaDevicesError,
] as const;

/** Failures of which only the server knows the reason. */
const VAGUE: ReadonlySet<ConnectFailure['kind']> = new Set(['internal', 'socket', 'unreachable', 'not_found', 'other']);

const KINDS: Record<ConnectionErrorReason, ConnectFailure['kind']> = {
  [ConnectionErrorReason.NotAllowed]: 'not_allowed',
  [ConnectionErrorReason.ServerUnreachable]: 'unreachable',
  [ConnectionErrorReason.InternalError]: 'internal',
  [ConnectionErrorReason.Cancelled]: 'cancelled',
  [ConnectionErrorReason.LeaveRequest]: 'leave',
  [ConnectionErrorReason.Timeout]: 'timeout',
  [ConnectionErrorReason.WebSocket]: 'socket',
  [ConnectionErrorReason.ServiceNotFound]: 'not_found',
};

function describe(error: unknown): ConnectFailure {
  const message = withoutTokens(error instanceof Error ? error.message : String(error));
  if (error instanceof UnsupportedServer) return { kind: 'other', message };
  if (!(error instanceof ConnectionError)) return { kind: /support|WebRTC/i.test(message) ? 'unsupported' : 'other', message };
  const context: unknown = error.context;
  const status = error.status ?? (typeof context === 'object' && context !== null && 'status' in context ? Number(context.status) : undefined);
  return { kind: KINDS[error.reason as ConnectionErrorReason], status, message, reason: typeof context === 'number' ? context : undefined };
}

function refusedByGrant(error: unknown): boolean {
  if (error instanceof RpcError) return false;
  return error instanceof Error && /insufficient permissions|not allowed|not have permission/i.test(error.message);
}

function chosen(deviceId: string): { deviceId?: string } {
  return deviceId ? { deviceId } : {};
}

function captureOf(deviceId: string, video = false): MediaTrackConstraints {
  const device = deviceId ? { deviceId: { ideal: deviceId } } : {};
  return video ? { ...device, width: { ideal: 1280 }, height: { ideal: 720 } } : { ...device, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
}
