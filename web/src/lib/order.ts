/** Which tile comes first. Tiles move as little as possible: people find each other by place. */

export interface Orderable {
  key: string;
  source: 'camera' | 'screen_share';
  local: boolean;
  /** Milliseconds since the epoch; 0 when unknown. */
  joinedAt_ms: number;
  lastSpoke_ms: number;
  speaking: boolean;
}

/**
 * The new order given the one shown before: shared screens first, then everybody where they were, newcomers last. Whoever speaks on a
 * later page changes places with the person of the first page who has been silent longest.
 */
export function orderTiles<T extends Orderable>(tiles: readonly T[], previous: readonly string[], pageSize: number): T[] {
  const rank = new Map(previous.map((key, index) => [key, index]));
  const kept = tiles.filter((tile) => rank.has(tile.key)).sort((a, b) => (rank.get(a.key) ?? 0) - (rank.get(b.key) ?? 0));
  const fresh = tiles.filter((tile) => !rank.has(tile.key)).sort(byArrival);
  const all = [...kept, ...fresh];
  const ordered = [...all.filter(isScreen), ...all.filter((tile) => !isScreen(tile))];
  return promoteSpeakers(ordered, pageSize);
}

/**
 * The tile that deserves the large place: what is pinned, else a shared screen, else who spoke last, else anybody but oneself. Whoever
 * has the place keeps it while speaking, so that two voices do not make the picture flicker.
 */
export function mainTile<T extends Orderable>(tiles: readonly T[], pinned: string | null, current: string | null = null): T | undefined {
  const pin = tiles.find((tile) => tile.key === pinned);
  if (pin) return pin;
  const screen = tiles.find((tile) => isScreen(tile) && !tile.local) ?? tiles.find(isScreen);
  if (screen) return screen;
  const others = tiles.filter((tile) => !tile.local);
  const holder = others.find((tile) => tile.key === current && tile.speaking);
  if (holder) return holder;
  const spoke = others.filter((tile) => tile.lastSpoke_ms > 0).sort((a, b) => b.lastSpoke_ms - a.lastSpoke_ms);
  return spoke[0] ?? others[0] ?? tiles[0];
}

/** The slice of a page, and the page clamped to those that exist. */
export function pageOf<T>(items: readonly T[], page: number, size: number): { items: T[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(items.length / Math.max(1, size)));
  const at = Math.min(Math.max(0, page), pages - 1);
  return { items: items.slice(at * size, (at + 1) * size), page: at, pages };
}

function isScreen(tile: Orderable): boolean {
  return tile.source === 'screen_share';
}

function byArrival(a: Orderable, b: Orderable): number {
  if (a.local !== b.local) return a.local ? -1 : 1;
  return a.joinedAt_ms - b.joinedAt_ms || (a.key < b.key ? -1 : 1);
}

function promoteSpeakers<T extends Orderable>(tiles: T[], pageSize: number): T[] {
  for (let later = pageSize; later < tiles.length; later++) {
    const speaker = tiles[later];
    if (!speaker?.speaking) continue;
    const silent = quietest(tiles.slice(0, pageSize));
    if (!silent) break;
    const place = tiles.indexOf(silent);
    tiles[place] = speaker;
    tiles[later] = silent;
  }
  return tiles;
}

function quietest<T extends Orderable>(page: readonly T[]): T | undefined {
  const candidates = page.filter((tile) => !isScreen(tile) && !tile.local && !tile.speaking);
  return candidates.reduce<T | undefined>((quiet, tile) => (quiet && quiet.lastSpoke_ms <= tile.lastSpoke_ms ? quiet : tile), undefined);
}
