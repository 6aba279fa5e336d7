/** Rooms visited from this browser; kept here and nowhere else. */

import { ROOM_LENGTH_MAX } from './invite';

export interface RecentRoom {
  room: string;
  at_ms: number;
}

export const RECENT_MAX = 6;

export function addRecent(list: readonly RecentRoom[], room: string, at_ms: number): RecentRoom[] {
  return [{ room, at_ms }, ...list.filter((each) => each.room !== room)].slice(0, RECENT_MAX);
}

export function parseRecent(stored: string | null): RecentRoom[] {
  try {
    const parsed: unknown = JSON.parse(stored ?? '[]');
    if (!Array.isArray(parsed)) return [];
    return parsed.filter(isRecent).slice(0, RECENT_MAX);
  } catch {
    return [];
  }
}

function isRecent(value: unknown): value is RecentRoom {
  if (typeof value !== 'object' || value === null) return false;
  const { room, at_ms } = value as Record<string, unknown>;
  return typeof room === 'string' && room !== '' && room.length <= ROOM_LENGTH_MAX && typeof at_ms === 'number';
}
