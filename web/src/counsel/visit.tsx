/** One visit to one session: the anteroom, the session, its end. */

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { t } from '../i18n';
import { duration } from '../lib/format';
import { readToken } from '../lib/invite';
import { name } from '../prefs';
import { route } from '../route';
import { MessagePage } from '../screens/message';
import { Prejoin } from '../screens/prejoin';
import { Preview } from '../screens/preview';
import { notify } from '../ui/notices';
import { downloadNote } from './note-panel';
import { CounselScreen } from './screen';
import { type Ending, Session, type Told } from './session';

/** How long a knock waits for the camera and the microphone. */
const DEVICES_MS_MAX = 5_000;

export function CounselVisit() {
  const words = t.value.counsel;
  const session = useSignal<Session | null>(null);
  const busy = useSignal(false);
  const attempt = useSignal(0);
  const preview = useMemo(() => new Preview(), [attempt.value]);
  const at = route.value;
  const { invitation, role, byServer } = at.at === 'counsel' ? at : { invitation: { room: '', token: null }, role: 'member' as const, byServer: false };
  const fixedName = invitation.token === null ? '' : (readToken(invitation.token)?.name ?? '');

  useEffect(() => {
    void preview.start();
    return () => preview.close();
  }, [preview]);
  useEffect(() => {
    // The tab is closed: the other is told that this was meant.
    const leaving = (): void => session.value?.close();
    addEventListener('pagehide', leaving);
    return () => {
      removeEventListener('pagehide', leaving);
      session.value?.close();
    };
  }, []);

  const join = async (): Promise<void> => {
    if (busy.value) return;
    busy.value = true;
    await preview.settled(DEVICES_MS_MAX);
    session.value = new Session({ room: invitation.room, role, name: fixedName || name.value.trim(), token: invitation.token, byServer }, preview, (told) => tell(told, session.value));
    busy.value = false;
  };
  const again = (): void => {
    session.value?.close();
    session.value = null;
    attempt.value++;
  };

  const stay = session.value;
  if (stay?.ending.value) return <EndPage session={stay} ending={stay.ending.value} onAgain={again} />;
  if (stay) return <CounselScreen session={stay} />;
  return (
    <Prejoin
      room={invitation.room}
      preview={preview}
      fixedName={fixedName}
      busy={busy.value}
      onJoin={() => void join()}
      eyebrow={role === 'expert' ? words.asExpert : words.asMember}
      title={words.ready}
    />
  );
}

function tell(told: Told, session: Session | null): void {
  const words = t.value.counsel;
  const who = session?.other.name.value || (session?.entry.role === 'expert' ? words.member : words.expert);
  switch (told.tell) {
    case 'met':
      return notify(t.value.notice.joined(who), 'people');
    case 'back':
      return notify(words.back(who), 'check');
    case 'done':
      return notify(words.doneBy(who), 'check');
    case 'by_server':
      return notify(words.byServer, 'broadcast');
    case 'picture':
      return notify(told.from === session?.entry.role ? words.pictureSent : words.pictureFrom(who), 'picture');
    case 'picture_failed':
      return notify(words.pictureTrouble[told.why], 'alert');
  }
}

const AGAIN: ReadonlySet<Ending> = new Set(['left', 'seat_taken', 'elsewhere', 'full', 'closed', 'room_missing']);

function EndPage({ session, ending, onAgain }: { session: Session; ending: Ending; onAgain: () => void }) {
  const words = t.value.counsel;
  const { title, text } = words.end[ending];
  const isOver = ending === 'ended';
  const sentences = [isOver ? words.lasted(duration(session.together_ms.value)) : '', text, ending === 'seat_taken' ? words.taken[session.entry.role] : ''];
  return (
    <MessagePage
      title={title}
      text={sentences.filter(Boolean).join(' ')}
      tone={isOver || ending === 'left' ? 'calm' : 'trouble'}
      icon={isOver ? 'check' : undefined}
      testId="counsel-ended"
      code={ending}
    >
      {session.noteText.value !== '' && (
        <button type="button" class={isOver ? 'button button-main' : 'button'} data-testid="ended-note" onClick={() => downloadNote(session)}>
          {words.saveNote}
        </button>
      )}
      {AGAIN.has(ending) && (
        <button type="button" class="button button-main" data-testid="message-rejoin" onClick={onAgain}>
          {ending === 'elsewhere' ? words.takeOver : ending === 'left' ? t.value.end.rejoin : words.tryAgain}
        </button>
      )}
    </MessagePage>
  );
}
