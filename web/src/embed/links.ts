/** The `Link` headers of RFC 8288, as far as WHIP and WHEP use them. */

export interface Link {
  url: string;
  rel: string;
  params: Record<string, string>;
}

const ICE_SERVERS_MAX = 8;

/** What it cannot read it passes over. `base`: relative addresses are those of the resource. */
export function readLinks(header: string | null, base: string): Link[] {
  const links: Link[] = [];
  for (const [, target = '', rest = ''] of (header ?? '').matchAll(/<([^>]*)>((?:[^",<]|"(?:[^"\\]|\\.)*")*)/g)) {
    const params: Record<string, string> = {};
    for (const [, name = '', quoted, plain = ''] of rest.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))/g)) {
      params[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, '$1') ?? plain;
    }
    const url = absolute(target, base);
    if (url !== null) for (const rel of (params.rel ?? '').split(/\s+/)) if (rel) links.push({ url, rel, params });
  }
  return links;
}

/** RFC 9725 §4.6. Those that a browser would refuse are left out. */
export function iceServers(links: readonly Link[]): RTCIceServer[] {
  return links
    .filter(({ url, rel, params }) => rel === 'ice-server' && (/^stuns?:/.test(url) || (/^turns?:/.test(url) && params.username && params.credential)))
    .slice(0, ICE_SERVERS_MAX)
    .map(({ url, params: { username, credential } }) => ({ urls: url, username, credential }));
}

export function absolute(target: string, base: string): string | null {
  try {
    return new URL(target, base).href;
  } catch {
    return null;
  }
}
