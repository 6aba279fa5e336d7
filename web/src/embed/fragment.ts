/** Pieces of a session description for `PATCH`: RFC 8840, RFC 9725 §4.4. All media share one way, that of the first section. */

const HEAD = [/^a=group:.*$/m, /^m=.*$/m, /^a=mid:.*$/m, /^a=ice-ufrag:.*$/m, /^a=ice-pwd:.*$/m];

/** Our candidates, or, without any, the credentials of a restart. `ended`: there will be no more. */
export function fragment(sdp: string, candidates: readonly string[], ended: boolean): string {
  const lines = HEAD.map((line) => line.exec(sdp)?.[0]).filter((line) => line !== undefined);
  lines.push(...candidates.map((candidate) => `a=${candidate}`));
  if (ended) lines.push('a=end-of-candidates');
  return lines.map((line) => `${line}\r\n`).join('');
}

/** The answer of before with the credentials and candidates of the server's answer to a restart. `null`: it has none. */
export function restarted(answer: string, piece: string): string | null {
  const ufrag = /^a=ice-ufrag:.*$/m.exec(piece)?.[0];
  const pwd = /^a=ice-pwd:.*$/m.exec(piece)?.[0];
  if (!ufrag || !pwd) return null;
  const candidates = (piece.match(/^a=candidate:.*$/gm) ?? []).map((line) => `\r\n${line}`).join('');
  return answer
    .replace(/^a=(candidate:|end-of-candidates).*\r?\n/gm, '')
    .replace(/^a=ice-ufrag:.*$/gm, () => ufrag)
    .replace(/^a=ice-pwd:.*$/gm, () => pwd)
    .replace(/^a=mid:.*$/m, (mid) => mid + candidates);
}
