/** What this browser remembers between visits, and what this tab remembers between reloads. */

import { effect, signal } from '@preact/signals';
import { addRecent, parseRecent, type RecentRoom } from './lib/recent';
import { load, save } from './lib/storage';

export type Theme = 'system' | 'light' | 'dark';

export const theme = signal<Theme>(parseTheme(load('local', 'theme')));
export const name = signal(load('local', 'name') ?? '');
export const recent = signal<RecentRoom[]>(parseRecent(load('local', 'recent')));
export const shortcutsOn = signal(load('local', 'shortcuts') !== 'off');
export const mirrorOn = signal(load('local', 'mirror') !== 'off');
export const devices = {
  microphone: signal(load('local', 'microphone') ?? ''),
  camera: signal(load('local', 'camera') ?? ''),
  speaker: signal(load('local', 'speaker') ?? ''),
};

export const NAME_LENGTH_MAX = 80;

export function startPrefs(): void {
  effect(() => {
    if (theme.value === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
    paintBrowser(theme.value);
    save('local', 'theme', theme.value);
  });
  effect(() => save('local', 'name', name.value));
  effect(() => save('local', 'recent', JSON.stringify(recent.value)));
  effect(() => save('local', 'shortcuts', shortcutsOn.value ? 'on' : 'off'));
  effect(() => save('local', 'mirror', mirrorOn.value ? 'on' : 'off'));
  for (const [key, device] of Object.entries(devices)) effect(() => save('local', key, device.value));
}

export function visited(room: string): void {
  recent.value = addRecent(recent.value, room, Date.now());
}

export function forget(room: string): void {
  recent.value = recent.value.filter((each) => each.room !== room);
}

/** Stable for the life of the tab, so that a reload takes its own seat again. */
export function tabIdentity(): string {
  const known = load('session', 'identity');
  return known ?? newIdentity();
}

export function newIdentity(): string {
  const identity = `web-${crypto.getRandomValues(new Uint32Array(3)).reduce((text, word) => text + word.toString(36), '')}`;
  save('session', 'identity', identity);
  return identity;
}

/** The browser's own frame follows: as `--paper` in the style sheets. */
function paintBrowser(chosen: Theme): void {
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    const dark = chosen === 'dark' || (chosen === 'system' && meta.media.includes('dark'));
    meta.content = dark ? '#171614' : '#f5f2ec';
  }
}

function parseTheme(stored: string | null): Theme {
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}
