/** What a WHEP server tells beside the media: server-sent events, where it offers them. */

import { absolute, type Link } from './links';
import { ask } from './resource';

const EVENTS = 'urn:ietf:params:whep:ext:core:server-sent-events';
const LAYER = 'urn:ietf:params:whep:ext:core:layer';
const LINE_CHARS_MAX = 65_536;

/** One encoding of the picture that may be asked for. */
export interface Layer {
  mediaId: string;
  encodingId: string;
  /** Larger is better; a server may not know more. */
  index: number;
  width: number;
  height: number;
}

/** Ends when the stream does, or with an exception. */
export async function listen(links: readonly Link[], token: string, signal: AbortSignal, heard: (event: string, data: string) => void): Promise<void> {
  const link = links.find(({ rel }) => rel === EVENTS);
  if (!link) return;
  const offered = (link.params.events ?? 'active,inactive,layers').split(',').map((event) => event.trim());
  const wanted = ['active', 'inactive', 'layers'].filter((event) => offered.includes(event));
  const made = await ask(link.url, token, 'POST', 'application/json', JSON.stringify(wanted));
  const location = made.headers.get('location');
  const url = made.status === 201 && location ? absolute(location, link.url) : null;
  if (!url) return;
  // Not an EventSource: it cannot show a token.
  const stream = await fetch(url, { headers: { accept: 'text/event-stream', ...(token && { authorization: `Bearer ${token}` }) }, signal });
  if (!stream.ok || !stream.body) return;
  const parse = reader(heard);
  const source = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await source.read();
    if (done || signal.aborted) return;
    parse(value);
  }
}

/** The lines of an event stream, in pieces of any length. */
export function reader(heard: (event: string, data: string) => void): (piece: string) => void {
  let rest = '';
  let event = '';
  let data: string[] = [];
  return (piece) => {
    const lines = (rest + piece).split(/\r?\n/);
    rest = (lines.pop() ?? '').slice(0, LINE_CHARS_MAX);
    for (const line of lines) {
      const [, field, value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
      else if (line === '') {
        if (event || data.length > 0) heard(event || 'message', data.join('\n'));
        event = '';
        data = [];
      }
    }
  };
}

/** The encodings of all media in a `layers` event, the largest first. */
export function layersOf(data: string): Layer[] {
  try {
    const layers: Layer[] = [];
    for (const [mediaId, media] of Object.entries(JSON.parse(data) as Record<string, { active?: unknown[]; layers?: unknown[] }>)) {
      for (const each of media?.active ?? media?.layers ?? []) {
        const { id, encodingId = id, simulcastIdx, width, height } = each as Record<string, unknown>;
        if (typeof encodingId === 'string') layers.push({ mediaId, encodingId, index: Number(simulcastIdx) || 0, width: Number(width) || 0, height: Number(height) || 0 });
      }
    }
    return layers.sort((a, b) => b.height - a.height || b.index - a.index);
  } catch {
    return [];
  }
}

/** `encoding`: empty for whatever the server finds best. */
export function choose(links: readonly Link[], token: string, mediaId: string | undefined, encoding: string): void {
  const link = links.find(({ rel }) => rel === LAYER);
  if (!link) return;
  const wish = encoding ? { mediaId, encodingId: encoding } : { mediaId };
  ask(link.url, token, 'POST', 'application/json', JSON.stringify(wish)).catch(() => undefined);
}
