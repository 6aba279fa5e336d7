/** The page that tries out whether a call will work from here. */
import '../styles/check.css';
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { language } from '../i18n';
import { checkPath, parseInvitation, parsePageToken, readToken } from '../lib/invite';
import { go, route } from '../route';
import { Page as Frame } from '../ui/chrome';
import { Icon } from '../ui/icons';
import { announce, notify } from '../ui/notices';
import { DeviceRows } from './device-rows';
import { Devices } from './devices';
import { type CheckId, judge, type Summary, summarise } from './judge';
import { reportOf } from './report';
import { Mark, reasonOf, remedyOf, Row } from './rows';
import { type Invited, Run } from './run';
import { WAYS } from './seen';
import { checkWords } from './words';

const SIGNALLING: readonly CheckId[] = ['http', 'socket'];
const NETWORK: readonly CheckId[] = ['stun', ...WAYS];
const CALL: readonly CheckId[] = ['call', 'quality', 'bandwidth'];

export function Page() {
  const token = route.value.at === 'check' ? route.value.token : null;
  const run = useMemo(() => new Run(invitedBy(token)), []);
  const devices = useMemo(() => new Devices(run), []);
  useEffect(() => {
    if (run.state.value === 'running') void run.start();
    return () => {
      run.close();
      devices.close();
    };
  }, []);
  const words = checkWords();
  return (
    <Frame>
      <div class="check" data-testid="check" data-state={run.state.value}>
        <header class="check-head">
          <h1>{words.title}</h1>
          <p class="hint">{words.lead}</p>
        </header>
        <Top run={run} />
        <Entrance run={run} />
        <div class="check-columns">
          <div class="check-column">
            <Section title={words.sections.page} run={run} ids={['page', 'browser']} />
            <Section title={words.sections.signalling} run={run} ids={SIGNALLING} />
            <DeviceRows run={run} devices={devices} />
          </div>
          <div class="check-column">
            <Section title={words.sections.network} run={run} ids={NETWORK} />
            <Section title={words.sections.call} run={run} ids={CALL} />
          </div>
        </div>
        <Report run={run} />
      </div>
    </Frame>
  );
}

/** A token opens one room; one that names none opens nothing here. */
function invitedBy(token: string | null): Invited | null {
  const room = token === null ? '' : (readToken(token)?.room ?? '');
  return token === null || room === '' ? null : { room, token };
}

function Top({ run }: { run: Run }) {
  const words = checkWords();
  const isRunning = run.state.value === 'running';
  const summary = summarise(run.seen.value);
  // What is found broken is said at once; that all is well only when all was tried.
  const told: Summary | null = isRunning && summary.tone !== 'fault' ? null : summary;
  const { title, text } = words.summary[told?.code ?? 'checking'];
  const { first } = told ?? { first: null };
  useEffect(() => announce(title), [title]);
  if (run.state.value === 'asking') return null;
  return (
    <section class={`check-top card check-${told?.tone ?? 'running'}`} data-testid="check-summary" data-tone={told?.tone ?? 'running'} data-code={told?.code ?? 'checking'} data-first={first?.id ?? ''}>
      <Mark state={told?.tone ?? 'running'} size={30} />
      <div class="check-said">
        <h2>{title}</h2>
        {text && <p>{text}</p>}
        {first && (
          <>
            <p>
              <strong>
                {words.first}: {words.checks[first.id]}.
              </strong>{' '}
              {reasonOf(first)}
            </p>
            <p>{remedyOf(first)}</p>
          </>
        )}
      </div>
      <div class="check-actions">
        <button type="button" class="button" data-testid="check-again" disabled={isRunning} onClick={() => void run.start()}>
          {isRunning ? words.running : words.again}
        </button>
        <CopyReport run={run} />
      </div>
    </section>
  );
}

function CopyReport({ run }: { run: Run }) {
  const words = checkWords();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(report(run));
      notify(words.copied, 'check');
    } catch {
      notify(words.copyFailed, 'alert');
    }
  };
  return (
    <button type="button" class="button" data-testid="check-copy" disabled={run.state.value === 'running'} onClick={() => void copy()}>
      <Icon name="copy" size={20} />
      {words.copy}
    </button>
  );
}

function Report({ run }: { run: Run }) {
  return (
    <details class="check-report">
      <summary>{checkWords().report}</summary>
      <pre tabIndex={0} data-testid="check-report">
        {report(run)}
      </pre>
    </details>
  );
}

function report(run: Run): string {
  return reportOf(run.seen.value, { page: location.origin + location.pathname, version: run.version.value, language: language.value, userAgent: navigator.userAgent, at: new Date() });
}

function Section({ title, run, ids }: { title: string; run: Run; ids: readonly CheckId[] }) {
  const findings = judge(run.seen.value);
  return (
    <section class="check-section card">
      <h2>{title}</h2>
      <ul>
        {ids.map((id) => (
          <Row key={id} id={id} finding={findings.find((finding) => finding.id === id)} run={run} />
        ))}
      </ul>
    </section>
  );
}

/** What has to be had or agreed to before the connection can be tried. */
function Entrance({ run }: { run: Run }) {
  const words = checkWords();
  if (run.state.value === 'asking' && run.invited) {
    return (
      <section class="check-entrance card" data-testid="check-meeting">
        <h2>{words.meeting.title(run.invited.room)}</h2>
        <p>{words.meeting.text}</p>
        <button type="button" class="button button-main" data-testid="check-start" onClick={() => void run.start()}>
          {words.meeting.start}
        </button>
      </section>
    );
  }
  return run.seen.value.access?.state === 'needed' ? <Invitation /> : null;
}

function Invitation() {
  const words = checkWords().invitation;
  const link = useSignal('');
  const wrong = useSignal(false);
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = parseInvitation(link.value)?.token ?? parsePageToken(link.value);
    wrong.value = token === null;
    if (token !== null) go(checkPath(token));
  };
  return (
    <form class="check-entrance card" data-testid="check-invitation" onSubmit={submit} noValidate>
      <h2>{words.title}</h2>
      <p>{words.text}</p>
      <div class="field">
        <label for="check-link">{words.field}</label>
        <div class="field-row">
          <input
            id="check-link"
            class="input"
            data-testid="check-pasted"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            value={link.value}
            aria-invalid={wrong.value}
            aria-describedby={wrong.value ? 'check-link-wrong' : undefined}
            onInput={(event) => {
              link.value = event.currentTarget.value;
              wrong.value = false;
            }}
          />
          <button type="submit" class="button" data-testid="check-invited">
            {words.open}
          </button>
        </div>
        {wrong.value && (
          <p class="wrong" id="check-link-wrong" role="alert">
            {words.wrong}
          </p>
        )}
      </div>
    </form>
  );
}
