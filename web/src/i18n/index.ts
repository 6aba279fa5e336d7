import { signal } from '@preact/signals';
import { load, save } from '../lib/storage';
import type { Dictionary } from './en';

export type Language = 'ko' | 'en';
export const LANGUAGES: ReadonlyArray<{ code: Language; name: string }> = [
  { code: 'ko', name: '한국어' },
  { code: 'en', name: 'English' },
];

/** The texts of the language in use. Set before anything is drawn. */
export const t = signal<Dictionary>(null as unknown as Dictionary);
export const language = signal<Language>('en');

export function preferredLanguage(stored: string | null, wanted: readonly string[]): Language {
  if (stored === 'ko' || stored === 'en') return stored;
  const first = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag === 'ko' || tag === 'en');
  return first === 'ko' ? 'ko' : 'en';
}

export async function startLanguage(): Promise<void> {
  await use(preferredLanguage(load('local', 'language'), navigator.languages ?? [navigator.language]));
}

export async function chooseLanguage(code: Language): Promise<void> {
  save('local', 'language', code);
  await use(code);
}

async function use(code: Language): Promise<void> {
  t.value = code === 'ko' ? (await import('./ko')).ko : (await import('./en')).en;
  language.value = code;
  document.documentElement.lang = code;
}
