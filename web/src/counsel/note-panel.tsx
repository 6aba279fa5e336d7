import { useSignal } from '@preact/signals';
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { moved } from '../lib/merge';
import { Icon } from '../ui/icons';
import { NOTE_LENGTH_MAX } from './note';
import type { Session } from './session';

/** A Korean keyboard composes its last syllable until the next key: after so long without one the writer is looking up. */
const COMPOSING_MS_MAX = 1_200;

export function NotePanel({ session }: { session: Session }) {
  const words = t.value.counsel;
  const id = useId();
  const text = session.noteText.value;
  return (
    <section class="counsel-note" id="counsel-note" aria-labelledby={`${id}-title`}>
      <header class="panel-head">
        <h2 id={`${id}-title`}>{words.note}</h2>
        <button type="button" class="icon-button" aria-label={words.saveNote} title={words.saveNote} data-testid="note-save" disabled={text === ''} onClick={() => downloadNote(session)}>
          <Icon name="download" size={20} />
        </button>
      </header>
      <NoteField session={session} label={words.note} hint={`${id}-hint`} />
      <p class="hint" id={`${id}-hint`}>
        {text.length >= NOTE_LENGTH_MAX ? words.noteFull : words.noteHint}
      </p>
    </section>
  );
}

function NoteField({ session, label, hint }: { session: Session; label: string; hint: string }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const composing = useSignal(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const text = session.noteText.value;
  // The text may change under the caret: it stays with its letter.
  useLayoutEffect(() => {
    const area = field.current;
    if (!area || area.value === text) return;
    const [from, to] = [area.selectionStart, area.selectionEnd].map((caret) => moved(caret, area.value, text));
    area.value = text;
    if (document.activeElement === area) area.setSelectionRange(from ?? 0, to ?? 0);
  }, [text]);
  const release = (): void => {
    clearTimeout(timer.current);
    composing.value = false;
    session.hold(false);
  };
  const hold = (): void => {
    clearTimeout(timer.current);
    composing.value = true;
    session.hold(true);
    timer.current = setTimeout(release, COMPOSING_MS_MAX);
  };
  useEffect(() => release, []);
  return (
    <textarea
      ref={field}
      class="note-field"
      data-testid="note"
      aria-label={label}
      aria-describedby={hint}
      maxLength={NOTE_LENGTH_MAX}
      placeholder={t.value.counsel.notePlaceholder}
      spellcheck={false}
      onInput={(event) => {
        session.write(event.currentTarget.value);
        if (event.isComposing) hold();
      }}
      onCompositionStart={hold}
      onCompositionEnd={release}
    />
  );
}

export function downloadNote(session: Session): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([session.noteText.value], { type: 'text/plain;charset=utf-8' }));
  link.download = `${session.entry.room}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
