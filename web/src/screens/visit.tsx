/** One visit to one room: the anteroom, the room, the way out. */

import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { t } from '../i18n';
import { fetchConfig, fetchSeat, Refused, type Seat, signalUrl } from '../lib/api';
import type { Ending } from '../lib/ending';
import { readToken } from '../lib/invite';
import { name, newIdentity, tabIdentity, visited } from '../prefs';
import { route } from '../route';
import type { Session } from '../room/session';
import { CheckLink } from '../ui/check-link';
import { MessagePage } from './message';
import { Prejoin } from './prejoin';
import { Preview } from './preview';

type Step = { at: 'prejoin' } | { at: 'room'; session: Session; View: ComponentType<{ session: Session }> } | { at: 'end'; ending: Ending; detail: string };

/** How long a knock waits for the camera and the microphone. */
const DEVICES_MS_MAX = 5_000;

/** The room's code is large: it is on its way while the visitor looks into the mirror. */
const loadRoom = () => import('../room');

export function Visit() {
  const step = useSignal<Step>({ at: 'prejoin' });
  const busy = useSignal(false);
  const attempt = useSignal(0);
  const preview = useMemo(() => new Preview(), [attempt.value]);
  const invitation = route.value.at === 'room' ? route.value.invitation : { room: '', token: null };
  const claims = invitation.token === null ? null : readToken(invitation.token);

  const end = (ending: Ending, detail = ''): void => {
    preview.close();
    busy.value = false;
    step.value = { at: 'end', ending, detail };
  };

  const again = (): void => {
    attempt.value++;
    step.value = { at: 'prejoin' };
  };

  useEffect(() => {
    if (step.value.at === 'room') return;
    if (step.value.at === 'end') again();
    const early = invitation.token === null ? null : earlyTrouble(invitation.token, invitation.room);
    if (early) return end(early);
    // The person may have come back to a page whose server hands out no seats.
    if (invitation.token === null) void fetchConfig().then((config) => config && !config.dev && end('token_missing'));
  }, [invitation.token]);

  useEffect(() => {
    void preview.start();
    void loadRoom().catch(() => undefined);
    return () => preview.close();
  }, [preview]);
  useEffect(
    () => () => {
      if (step.value.at === 'room') void step.value.session.leave();
    },
    [],
  );

  const join = async (): Promise<void> => {
    if (busy.value) return;
    busy.value = true;
    try {
      const [seat, module] = await Promise.all([seatFor(invitation.room, invitation.token), loadRoom(), preview.settled(DEVICES_MS_MAX)]);
      const tracks = preview.handOver();
      const session = new module.Session(invitation.room, (ending, detail) => end(ending, detail));
      const failure = await session.join(signalUrl(location), seat.token, tracks, claims?.name ? '' : name.value.trim());
      busy.value = false;
      if (failure) return end(failure.ending, failure.detail);
      visited(invitation.room);
      step.value = { at: 'room', session, View: module.RoomScreen };
    } catch (error) {
      if (error instanceof Refused) end(error.ending, error.detail);
      else end('unreachable', String(error));
    }
  };

  const now = step.value;
  if (now.at === 'room') return <now.View session={now.session} />;
  if (now.at === 'end') {
    return <EndPage ending={now.ending} detail={now.detail} onAgain={again} />;
  }
  return <Prejoin room={invitation.room} preview={preview} fixedName={claims?.name ?? ''} busy={busy.value} onJoin={() => void join()} />;
}

/** Endings after which knocking again makes sense. */
const AGAIN: ReadonlySet<Ending> = new Set(['left', 'duplicate', 'room_closed', 'room_missing', 'room_full', 'token_early', 'server_shutdown', 'server_busy', 'unreachable', 'media_failed', 'lost']);

/** Endings whose cause the page for checks looks for. */
const UNCONNECTED: ReadonlySet<Ending> = new Set(['unreachable', 'media_failed', 'unsupported', 'lost']);

function EndPage({ ending, detail, onAgain }: { ending: Ending; detail: string; onAgain: () => void }) {
  const words = t.value.end;
  const asNew = (): void => {
    newIdentity();
    onAgain();
  };
  return (
    <MessagePage title={words[ending].title} text={words[ending].text} tone={ending === 'left' ? 'calm' : 'trouble'} detail={detail} testId={ending === 'left' ? 'left' : 'error'} code={ending}>
      {AGAIN.has(ending) && (
        <button type="button" class="button button-main" data-testid="message-rejoin" onClick={onAgain}>
          {words.rejoin}
        </button>
      )}
      {UNCONNECTED.has(ending) && <CheckLink />}
      {ending === 'duplicate' && (
        <button type="button" class="button" data-testid="message-as-new" onClick={asNew}>
          {words.asNew}
        </button>
      )}
    </MessagePage>
  );
}

async function seatFor(room: string, token: string | null): Promise<Seat> {
  if (token === null) return fetchSeat(room, name.value.trim(), tabIdentity());
  const early = earlyTrouble(token, room);
  if (early) throw new Refused(early, '');
  return { token, identity: readToken(token)?.identity ?? '', room };
}

/** Clocks differ; the server decides about the seconds between. */
const CLOCK_SKEW_MS = 60_000;

/** What can be said about a token without asking the server. */
function earlyTrouble(token: string, room: string): Ending | null {
  const claims = readToken(token);
  if (claims === null) return 'token_refused';
  if (claims.expires_ms !== null && claims.expires_ms < Date.now() - CLOCK_SKEW_MS) return 'token_expired';
  if (claims.starts_ms !== null && claims.starts_ms > Date.now() + CLOCK_SKEW_MS) return 'token_early';
  if (claims.room !== '' && claims.room !== room) return 'token_refused';
  return null;
}
