/** The server's own addresses in a description. */

export interface Address {
  protocol: 'udp' | 'tcp';
  address: string;
}

const CANDIDATE = /^a=candidate:\S+ \d+ (udp|tcp) \d+ (\S+) (\d+) /i;

export function addressesIn(sdp: string): Address[] {
  const found = new Map<string, Address>();
  for (const line of sdp.split(/\r?\n/)) {
    const read = addressOfLine(line);
    if (read) found.set(`${read.protocol} ${read.address}`, read);
  }
  return [...found.values()];
}

/** The same description with the addresses of one protocol alone. */
export function onlyOver(sdp: string, protocol: Address['protocol']): string {
  return sdp
    .split(/(?<=\n)/)
    .filter((line) => (addressOfLine(line)?.protocol ?? protocol) === protocol)
    .join('');
}

function addressOfLine(line: string): Address | null {
  const [, protocol, host, port] = CANDIDATE.exec(line) ?? [];
  if (!protocol || !host || !port) return null;
  return { protocol: protocol.toLowerCase() as Address['protocol'], address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` };
}
