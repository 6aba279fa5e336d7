/** Cameras and microphones, and why a browser does not hand them out. */

export type MediaFailure = 'blocked' | 'blocked_system' | 'missing' | 'busy' | 'insecure' | 'unsupported' | 'other';

const CAUSES: ReadonlyArray<readonly [RegExp, MediaFailure]> = [
  [/^(NotAllowed|PermissionDenied|Security)Error$/, 'blocked'],
  [/^(NotFound|DevicesNotFound|Overconstrained)Error$/, 'missing'],
  [/^(NotReadable|TrackStart|Abort)Error$/, 'busy'],
  [/^TypeError$/, 'unsupported'],
];

/** The cause behind a rejected `getUserMedia` (or a missing one). */
export function mediaFailure(error: unknown, secure: boolean = globalThis.isSecureContext): MediaFailure {
  if (!secure) return 'insecure';
  const name = errorName(error);
  const cause = CAUSES.find(([pattern]) => pattern.test(name))?.[1] ?? 'other';
  // Chromium says so when the operating system, not the person, refused.
  return cause === 'blocked' && name !== 'SecurityError' && error instanceof Error && /system/i.test(error.message) ? 'blocked_system' : cause;
}

export interface Devices {
  microphones: MediaDeviceInfo[];
  cameras: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  // Before a permission is given browsers list nameless devices; there is nothing to choose between.
  const named = all.filter((device) => device.deviceId !== '');
  return {
    microphones: named.filter((device) => device.kind === 'audioinput'),
    cameras: named.filter((device) => device.kind === 'videoinput'),
    speakers: named.filter((device) => device.kind === 'audiooutput'),
  };
}

export function canChooseSpeaker(): boolean {
  return 'setSinkId' in HTMLMediaElement.prototype;
}

export function canShareScreen(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
}

export function audioConstraints(deviceId: string): MediaTrackConstraints {
  const base: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return deviceId ? { ...base, deviceId: { ideal: deviceId } } : base;
}

export function videoConstraints(deviceId: string): MediaTrackConstraints {
  const base: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  return deviceId ? { ...base, deviceId: { ideal: deviceId } } : { ...base, facingMode: 'user' };
}

export async function openTrack(kind: 'audio' | 'video', deviceId: string): Promise<MediaStreamTrack> {
  if (!navigator.mediaDevices?.getUserMedia) throw new TypeError('getUserMedia is not available');
  const stream = await navigator.mediaDevices.getUserMedia(
    kind === 'audio' ? { audio: audioConstraints(deviceId) } : { video: videoConstraints(deviceId) },
  );
  const track = stream.getTracks()[0];
  if (!track) throw new DOMException('no track', 'NotFoundError');
  return track;
}

function errorName(error: unknown): string {
  return typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';
}
