/** One line of the page: what was checked, how it ended, why, and what to do. */

import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import type { Ending } from '../lib/ending';
import { Icon, type IconName } from '../ui/icons';
import type { CheckId, Finding, Verdict } from './judge';
import type { Run } from './run';
import { checkWords } from './words';

export type RowState = Verdict | 'running' | 'waiting' | 'skipped';

const ICONS: Record<Exclude<RowState, 'running'>, IconName> = { ok: 'check', limits: 'alert', fault: 'close', neutral: 'minus', waiting: 'minus', skipped: 'minus' };

export function Mark({ state, size = 18 }: { state: RowState; size?: number }) {
  return (
    <span class={`check-mark check-mark-${state}`} aria-hidden="true">
      {state === 'running' ? <span class="spinner" /> : <Icon name={ICONS[state]} size={size} />}
    </span>
  );
}

interface RowProps {
  id: CheckId;
  finding: Finding | undefined;
  run: Run;
  /** What to do about it stands elsewhere. */
  isBrief?: boolean;
  children?: ComponentChildren;
}

export function Row({ id, finding, run, isBrief = false, children }: RowProps) {
  const words = checkWords();
  const state = stateOf(id, finding, run);
  return (
    <li class="check-row" data-testid={`check-${id}`} data-verdict={state} data-code={finding?.code ?? ''}>
      <Mark state={state} />
      <div class="check-said">
        <p class="check-name">
          <span>{words.checks[id]}</span>
          {state !== 'neutral' && <span class={`check-tag check-tag-${state}`}>{words.verdicts[state]}</span>}
        </p>
        {finding && <Told finding={finding} isBrief={isBrief} />}
        {children}
      </div>
    </li>
  );
}

function Told({ finding, isBrief }: { finding: Finding; isBrief: boolean }) {
  const remedy = isBrief ? '' : remedyOf(finding);
  return (
    <>
      <p class="check-reason">{reasonOf(finding)}</p>
      {remedy && <p class="check-remedy">{remedy}</p>}
    </>
  );
}

export function reasonOf(finding: Finding): string {
  const said = checkWords().told[finding.code].reason(...finding.values);
  const ending = endingOf(finding);
  return ending ? `${said} ${ending.title}.` : said;
}

export function remedyOf(finding: Finding): string {
  return checkWords().told[finding.code].remedy ?? endingOf(finding)?.text ?? '';
}

/** Why a server lets nobody in has words already. */
function endingOf({ code, values }: Finding): { title: string; text: string } | null {
  return code === 'socket_refused' ? t.value.end[values[0] as Ending] : null;
}

function stateOf(id: CheckId, finding: Finding | undefined, run: Run): RowState {
  if (run.now.value.has(id)) return 'running';
  if (finding) return finding.verdict;
  if (id === 'camera' || id === 'microphone') return 'running';
  return run.state.value === 'done' ? 'skipped' : 'waiting';
}
