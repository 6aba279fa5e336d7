import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { language, t } from '../i18n';
import { type ChatMessage, linkParts, TEXT_LENGTH_MAX } from '../lib/chat';
import { clock } from '../lib/format';
import { Avatar } from '../ui/avatar';
import { Icon } from '../ui/icons';
import { PanelFrame } from './panel';
import type { Session } from './session';
import type { RoomState } from './state';

/** Messages of one person within this time share one head. */
const TOGETHER_MS = 120_000;
const ROWS_MAX = 5;

export function ChatPanel({ session, state }: { session: Session; state: RoomState }) {
  const words = t.value.chat;
  return (
    <PanelFrame title={words.title} testId="chat" onClose={() => state.togglePanel('chat')}>
      <Messages session={session} />
      <Composer session={session} />
    </PanelFrame>
  );
}

function Messages({ session }: { session: Session }) {
  const words = t.value.chat;
  const list = useRef<HTMLDivElement>(null);
  const messages = session.conversation.messages.value;
  useLayoutEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages.length]);
  return (
    <div class="chat-log" ref={list} tabIndex={0} role="group" aria-label={words.log}>
      {messages.length === 0 && <p class="panel-empty">{words.empty}</p>}
      <ol>
        {messages.map((message, index) => [
          boundary(messages[index - 1], message) && (
            <li key={`${message.id}/before`} class="rule chat-rule">
              <span>{message.replayed ? words.replayed : words.fresh}</span>
            </li>
          ),
          <Message key={message.id} message={message} follows={follows(messages[index - 1], message)} mine={message.identity === session.room.localParticipant.identity} />,
        ])}
      </ol>
    </div>
  );
}

function Message({ message, follows: together, mine }: { message: ChatMessage; follows: boolean; mine: boolean }) {
  return (
    <li class={['chat-message', together ? 'chat-together' : '', mine ? 'chat-mine' : ''].filter(Boolean).join(' ')} data-testid="chat-message" data-identity={message.identity} data-replayed={message.replayed === true}>
      {!together && (
        <p class="chat-head">
          <Avatar name={message.name} id={message.identity} size="small" />
          <strong>{message.name}</strong>
          <time dateTime={new Date(message.at_ms).toISOString()}>{clock(message.at_ms, language.value)}</time>
        </p>
      )}
      <p class="chat-text" data-testid="chat-text">
        {linkParts(message.text).map((part, index) =>
          part.href ? (
            <a key={index} href={part.href} target="_blank" rel="noopener noreferrer">
              {part.text}
            </a>
          ) : (
            part.text
          ),
        )}
      </p>
    </li>
  );
}

function Composer({ session }: { session: Session }) {
  const words = t.value.chat;
  const text = useSignal('');
  const failed = useSignal(false);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current?.focus();
  }, []);
  const send = async (): Promise<void> => {
    const written = text.value;
    if (written.trim() === '') return;
    text.value = '';
    failed.value = !(await session.conversation.send(written));
    if (failed.value && text.value === '') text.value = written;
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {failed.value && (
        <p class="wrong" role="alert">
          {words.failed}
        </p>
      )}
      <div class="composer-row">
        <textarea
          ref={field}
          class="input"
          rows={Math.min(ROWS_MAX, text.value.split('\n').length)}
          data-testid="chat-input"
          aria-label={words.placeholder}
          placeholder={words.placeholder}
          maxLength={TEXT_LENGTH_MAX}
          disabled={!session.permitted.value.data}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            // While a Hangul syllable is being composed, Enter belongs to the keyboard.
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
            event.preventDefault();
            void send();
          }}
        />
        <button type="submit" class="round round-accent" data-testid="chat-send" aria-label={words.send} disabled={text.value.trim() === ''}>
          <Icon name="send" size={20} />
        </button>
      </div>
    </form>
  );
}

/** Where the peers' memory begins, and where one's own does. */
function boundary(before: ChatMessage | undefined, message: ChatMessage): boolean {
  return before === undefined ? message.replayed === true : before.replayed !== message.replayed;
}

function follows(before: ChatMessage | undefined, message: ChatMessage): boolean {
  return before !== undefined && before.identity === message.identity && message.at_ms - before.at_ms < TOGETHER_MS && before.replayed === message.replayed;
}
