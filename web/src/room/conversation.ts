/** The chat of a room: text streams to everybody, and a newcomer's question for what was said before. */

import { signal } from '@preact/signals';
import { type ChatMessage as SdkMessage, type Participant, type Room, RoomEvent, type RpcInvocationData, type TextStreamReader } from 'livekit-client';
import { t } from '../i18n';
import { type ChatMessage, mergeMessages, packHistory, TEXT_LENGTH_MAX, unpackHistory } from '../lib/chat';
import { announce, notify } from '../ui/notices';
import { nameOf } from './views';

/** The topic LiveKit's own apps use: with it, people in them read along. */
const TOPIC = 'lk.chat';
const HISTORY_METHOD = 'madang.chat.history';
const ASKED_PEERS_MAX = 3;
const ANSWER_WITHIN_MS = 4_000;
const TOLD_LENGTH_MAX = 120;

export class Conversation {
  readonly messages = signal<ChatMessage[]>([]);
  readonly unread = signal(0);
  readonly open = signal(false);

  constructor(readonly room: Room) {}

  register(): void {
    this.room.registerTextStreamHandler(TOPIC, (reader, from) => void this.#receive(reader, from.identity));
    this.room.registerRpcMethod(HISTORY_METHOD, async (_call: RpcInvocationData) => packHistory(this.messages.value));
    this.room.on(RoomEvent.ChatMessage, (message: SdkMessage, from?: Participant) => {
      if (from && !from.isLocal) this.#add(from.identity, message.id, message.message, message.timestamp);
    });
  }

  unregister(): void {
    this.room.unregisterTextStreamHandler(TOPIC);
    this.room.unregisterRpcMethod(HISTORY_METHOD);
  }

  /** False when the message did not go out. */
  async send(text: string): Promise<boolean> {
    const trimmed = text.trim().slice(0, TEXT_LENGTH_MAX);
    if (trimmed === '') return true;
    try {
      const info = await this.room.localParticipant.sendText(trimmed, { topic: TOPIC });
      this.#add(this.room.localParticipant.identity, info.id, trimmed, info.timestamp);
      return true;
    } catch {
      return false;
    }
  }

  setOpen(open: boolean): void {
    this.open.value = open;
    if (open) this.unread.value = 0;
  }

  /** Asks those who have been here longest; whoever runs another app does not know the question. */
  async askForHistory(): Promise<void> {
    const eldest = [...this.room.remoteParticipants.values()].sort((a, b) => (a.joinedAt?.getTime() ?? 0) - (b.joinedAt?.getTime() ?? 0));
    for (const peer of eldest.slice(0, ASKED_PEERS_MAX)) {
      try {
        const answer = await this.room.localParticipant.performRpc({ destinationIdentity: peer.identity, method: HISTORY_METHOD, payload: '', responseTimeout: ANSWER_WITHIN_MS });
        this.messages.value = mergeMessages(this.messages.value, unpackHistory(answer));
        return;
      } catch {
        // The next one may know.
      }
    }
  }

  async #receive(reader: TextStreamReader, identity: string): Promise<void> {
    const { id, timestamp } = reader.info;
    // A stream that breaks off is no message.
    const text = await reader.readAll().catch(() => '');
    if (text !== '') this.#add(identity, id, text, timestamp);
  }

  #add(identity: string, id: string, text: string, at_ms: number): void {
    const person = this.room.getParticipantByIdentity(identity);
    const message: ChatMessage = { id, identity, name: person ? nameOf(person) : identity, text: text.slice(0, TEXT_LENGTH_MAX), at_ms };
    const known = this.messages.value.some((each) => each.id === id && !each.replayed);
    this.messages.value = mergeMessages(this.messages.value, [message]);
    if (known || identity === this.room.localParticipant.identity) return;
    const told = t.value.notice.message(message.name, shortened(message.text));
    if (this.open.value) announce(told);
    else {
      this.unread.value++;
      notify(told, 'chat');
    }
  }
}

function shortened(text: string): string {
  return text.length > TOLD_LENGTH_MAX ? `${text.slice(0, TOLD_LENGTH_MAX)}…` : text;
}
