/** The room as plain data, remade from the SDK's objects whenever something changed. */

import { type Participant, type Room, Track, type TrackPublication } from 'livekit-client';
import type { Orderable } from '../lib/order';

export type Quality = 'excellent' | 'good' | 'poor' | 'lost' | 'unknown';

export interface PersonView {
  identity: string;
  name: string;
  local: boolean;
  mic: boolean;
  camera: boolean;
  sharing: boolean;
  /** When the hand went up, in milliseconds since the epoch; 0 while it is down. */
  hand_ms: number;
  quality: Quality;
}

export interface TileView extends Orderable {
  identity: string;
  name: string;
  mic: boolean;
  hand_ms: number;
  quality: Quality;
  publication: TrackPublication | undefined;
  /** There is a picture to show, though it may still be on its way. */
  video: boolean;
  /** The server holds the picture back because our connection is too narrow. */
  paused: boolean;
}

export function peopleOf(room: Room): PersonView[] {
  return everybody(room)
    .map((person) => ({
      identity: person.identity,
      name: nameOf(person),
      local: person.isLocal,
      mic: person.isMicrophoneEnabled,
      camera: person.isCameraEnabled,
      sharing: person.isScreenShareEnabled,
      hand_ms: handOf(person),
      quality: person.connectionQuality as Quality,
    }))
    .sort((a, b) => Number(b.local) - Number(a.local) || a.name.localeCompare(b.name));
}

export function tilesOf(room: Room, speaking: ReadonlySet<string>): TileView[] {
  return everybody(room).flatMap((person) => {
    const tiles = [tileOf(person, 'camera', speaking.has(person.identity))];
    const screen = person.getTrackPublication(Track.Source.ScreenShare);
    if (screen && !screen.isMuted) tiles.push(tileOf(person, 'screen_share', false));
    return tiles;
  });
}

export function nameOf(person: Participant): string {
  return person.name || person.identity;
}

/** Raised hands, the longest raised first. */
export function handsOf(people: readonly PersonView[]): PersonView[] {
  return people.filter((person) => person.hand_ms > 0).sort((a, b) => a.hand_ms - b.hand_ms || (a.identity < b.identity ? -1 : 1));
}

function everybody(room: Room): Participant[] {
  return [room.localParticipant, ...room.remoteParticipants.values()].filter((person) => person.identity !== '');
}

function tileOf(person: Participant, source: TileView['source'], speaking: boolean): TileView {
  const publication = person.getTrackPublication(source === 'camera' ? Track.Source.Camera : Track.Source.ScreenShare);
  return {
    key: `${person.identity}/${source}`,
    identity: person.identity,
    source,
    local: person.isLocal,
    name: nameOf(person),
    joinedAt_ms: person.joinedAt?.getTime() ?? 0,
    lastSpoke_ms: source === 'camera' ? (person.lastSpokeAt?.getTime() ?? 0) : 0,
    speaking,
    mic: person.isMicrophoneEnabled,
    hand_ms: handOf(person),
    quality: person.connectionQuality as Quality,
    publication,
    video: publication !== undefined && !publication.isMuted && publication.track !== undefined,
    paused: publication?.track?.streamState === Track.StreamState.Paused,
  };
}

function handOf(person: Participant): number {
  const raised = Number(person.attributes['hand'] ?? '');
  return Number.isFinite(raised) && raised > 0 ? raised : 0;
}
