/** What somebody copies to send it to whoever can help. */

import { judge, summarise } from './judge';
import type { Seen } from './seen';

export interface Circumstances {
  page: string;
  version: string;
  language: string;
  userAgent: string;
  at: Date;
}

export function reportOf(seen: Seen, { page, version, language, userAgent, at }: Circumstances): string {
  const { code, first } = summarise(seen);
  const findings = judge(seen).map(({ id, verdict, code: said, values }) => ({ check: id, verdict, code: said, values }));
  return JSON.stringify({ report: 'madang check', at: at.toISOString(), page, version, language, userAgent, summary: { code, first: first?.id ?? null }, findings, seen }, null, 2);
}
