/** What somebody pastes into a page of his own (docs/embed.md). */

export type Embedded = 'watch' | 'publish';

const DOORS: Record<Embedded, string> = { watch: 'whep', publish: 'whip' };

/** `TOKEN` is for its author to replace: pages of other hosts are let in by one only, and this page's own is not to be handed on. */
export function snippet(what: Embedded, origin: string, room: string): string {
  const src = `${origin}/${DOORS[what]}/${encodeURIComponent(room)}`;
  const more = what === 'watch' ? ' controls' : '';
  return `<script defer src="${origin}/embed/${what}.js"></script>\n<madang-${what} src="${src}" token="TOKEN"${more}></madang-${what}>`;
}
