/**
 * Chromium begins at 300 kbit/s, whatever the network, and takes ten seconds and more to a picture of full size. It can be told where
 * to begin, by a parameter of the first codec in what the other side says; other browsers pass over it.
 */
export function startingAt(sdp: string, kbps: number): string {
  const sections = sdp.split(/(?=^m=)/m);
  return sections.map((section) => (section.startsWith('m=video') ? withStart(section, kbps) : section)).join('');
}

function withStart(section: string, kbps: number): string {
  const payload = /^m=video \d+ \S+ (\d+)/.exec(section)?.[1];
  if (payload === undefined) return section;
  const parameter = `x-google-start-bitrate=${kbps}`;
  const format = new RegExp(`^(a=fmtp:${payload} [^\\r\\n]*)`, 'm');
  if (format.test(section)) return section.replace(format, `$1;${parameter}`);
  return section.replace(new RegExp(`^(a=rtpmap:${payload} [^\\r\\n]*\\r?\\n)`, 'm'), `$1a=fmtp:${payload} ${parameter}\r\n`);
}
