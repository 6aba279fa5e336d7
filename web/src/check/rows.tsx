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
  children?: ComponentChildren;
}

export function Row({ id, finding, run, children }: RowProps) {
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
        {finding ? <Told finding={finding} /> : <p class="hint">{{ running: '', skipped: words.skipped }[state as string] ?? words.waiting}</p>}
        {children}
      </div>
    </li>
  );
}

function Told({ finding }: { finding: Finding }) {
  const { reason, remedy } = checkWords().told[finding.code];
  // Why a server lets nobody in has words already.
  const ending = finding.code === 'socket_refused' ? t.value.end[finding.values[0] as Ending] : null;
  return (
    <>
      <p class="check-reason">
        {reason(...finding.values)} {ending?.title}
      </p>
      {(remedy ?? ending?.text) && <p class="check-remedy">{remedy ?? ending?.text}</p>}
    </>
  );
}

function stateOf(id: CheckId, finding: Finding | undefined, run: Run): RowState {
  if (run.now.value.has(id)) return 'running';
  if (finding) return finding.verdict;
  if (id === 'camera' || id === 'microphone') return 'running';
  return run.state.value === 'done' ? 'skipped' : 'waiting';
}
