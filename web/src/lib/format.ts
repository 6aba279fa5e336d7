/** Numbers as people read them. */

export function bitrate(bps: number): string {
  if (bps <= 0) return '–';
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}

export function percent(share: number): string {
  if (share <= 0) return '0 %';
  return share < 0.1 ? `${(share * 100).toFixed(1)} %` : `${Math.round(share * 100)} %`;
}

export function clock(at_ms: number, language: string): string {
  return new Date(at_ms).toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
}

/** `3:07` or `1:02:09`. */
export function duration(span_ms: number): string {
  const seconds = Math.max(0, Math.floor(span_ms / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** One or two letters standing for a name: a Hangul name by its last two syllables, others by their first letters. */
export function initials(name: string): string {
  const trimmed = name.trim();
  if (/^[\uac00-\ud7a3]{2,4}$/u.test(trimmed)) return trimmed.slice(-2);
  const words = trimmed.split(/\s+/u).filter(Boolean);
  const first = [...(words[0] ?? '')][0] ?? '?';
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : '';
  return (first + last).toUpperCase();
}

/** A small number that is always the same for the same text: picks an avatar's tint. */
export function hash(text: string, buckets: number): number {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  return value % buckets;
}
