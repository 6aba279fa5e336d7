/** One stay in a counselling session, as signals: who is there, what is shown, how it ends. */

import { computed, effect, signal } from '@preact/signals';
import { fromMarkup, plain, toMarkup } from '../lib/markup';
import { doorUrl, Line } from '../p2p/line';
import { Pulse } from '../p2p/pulse';
import { randomId, seatKey } from '../p2p/seat';
import type { Preview } from '../screens/preview';
import type { Call } from './call';
import type { Standing } from './ladder';
import { Media } from './media';
import { Follower, Keeper, type Note, NOTE_LENGTH_MAX, type NoteWord } from './note';
import { type Here, isPictureName, type Picture, type PictureTrouble, pictureTroubleOf, readHere, readWord, refusalOf, type Refusal, type Role, type Said, sayHere, type Word } from './words';

export type Ending = 'ended' | 'left' | Refusal;
/** What is wrong just now: our own line, the other's, or the way of sound and picture. */
export type Trouble = 'own' | 'broke' | 'left' | 'stalled' | 'no_way' | 'no_server' | null;

export interface Entry {
  room: string;
  role: Role;
  name: string;
  token: string | null;
  /** Sound and picture go by way of the server from the start. */
  byServer: boolean;
}

export type Told = { tell: 'met' | 'back' | 'done' | 'by_server' } | { tell: 'picture'; from: Role } | { tell: 'picture_failed'; why: PictureTrouble | 'line' };

/** Between two words about the note: what is typed fast goes together. */
const NOTE_EVERY_MS = 120;
/** After our own line is back: the other is heard of at once, or is not there. */
const GREETING_MS_MAX = 1_500;
/** Silence for so long is worth a try on another way; then not sooner than this again. */
const MEND_AFTER_MS = 4_000;
const MEND_EVERY_MS = 8_000;
/** A way that is not found by then is not there, whatever the browser still hopes. */
const NO_WAY_AFTER_MS = 12_000;
/** Signalling that nobody knows to be dead: a new line costs little. */
const RENEW_AFTER_MS = 12_000;

export class Session {
  readonly ending = signal<Ending | null>(null);
  readonly trouble = signal<Trouble>(null);
  /** They have met at least once. */
  readonly hasMet = signal(false);
  readonly present = signal(false);
  readonly other = { name: signal(''), cam: signal(false), mic: signal(false) };
  readonly micOn = signal(false);
  readonly camOn = computed(() => this.preview.video.value !== null);
  /** The member is done, and waits for the expert to end it. */
  readonly done = signal(false);
  readonly noteText = signal('');
  readonly pictures = signal<readonly Picture[]>([]);
  readonly sending = signal(0);
  /** When they met, by this page's clock; what time they had together before counts. */
  readonly since_ms = signal<number | null>(null);
  readonly together_ms = signal(0);
  readonly media: Media;
  readonly pulse: Pulse;
  readonly #page = randomId();
  readonly #note: Note;
  readonly #line: Line;
  readonly #stops: Array<() => void> = [];
  #otherPage = '';
  /** The other came, and has not yet said how things stand. */
  #isGreeting = false;
  #hasLeft = false;
  #ownBroke = false;
  #noteTimer: ReturnType<typeof setTimeout> | null = null;
  #greetingTimer: ReturnType<typeof setTimeout> | undefined;
  #held: Word[] | null = null;
  #mendedAt_ms = 0;
  /** They are here, and not connected. */
  #partedSince_ms: number | null = null;
  #renewedAt_ms = 0;

  constructor(
    readonly entry: Entry,
    readonly preview: Preview,
    readonly told: (told: Told) => void,
  ) {
    this.#note = entry.role === 'expert' ? new Keeper(this.#page) : new Follower(this.#page);
    this.media = new Media(entry.role, preview, (said) => this.#say(said));
    this.pulse = new Pulse(
      () => this.media.pc,
      (sample) => this.media.state.value === 'connected' && (sample.sending || this.other.cam.value || this.other.mic.value),
    );
    this.micOn.value = preview.audio.value !== null;
    const query = { role: entry.role, room: entry.room, nick: entry.name, notify: '1', ice: '1', seat: seatKey(`${entry.role}@${entry.room}`), access_token: entry.token };
    this.#line = new Line({ url: doorUrl('/ertc', query), opened: () => this.#opened(), heard: (message) => this.#heard(message) });
    this.#watch();
    window.__madang = { counsel: this };
  }

  /** From page to page. */
  get call(): Call {
    return this.media.call;
  }

  get together(): number {
    return this.since_ms.value === null ? 0 : performance.now() - this.since_ms.value;
  }

  async setMic(on: boolean): Promise<void> {
    if (on && !this.preview.audio.value) await this.preview.set('audio', true);
    this.micOn.value = on && this.preview.audio.value !== null;
  }

  /** Off is off: the camera is let go, and nothing is sent. */
  async setCam(on: boolean): Promise<void> {
    await this.preview.set('video', on);
  }

  write(text: string): void {
    this.#note.edit(plain(text).slice(0, NOTE_LENGTH_MAX * 2));
    this.noteText.value = this.#note.text;
    this.#noteTimer ??= setTimeout(() => {
      this.#noteTimer = null;
      this.#sayNote(this.#note.pending());
    }, NOTE_EVERY_MS);
  }

  /** While letters are being composed nothing may change under the writer's hands. */
  hold(held: boolean): void {
    if (held) {
      this.#held ??= [];
      return;
    }
    const words = this.#held ?? [];
    this.#held = null;
    for (const word of words) this.#heardNote(word);
  }

  async sendPicture(picture: Blob): Promise<void> {
    const bytes = await picture.arrayBuffer();
    if (this.#line.sendBytes(bytes)) this.sending.value++;
    else this.told({ tell: 'picture_failed', why: 'line' });
  }

  /** The member is done. */
  finish(): void {
    this.done.value = true;
    this.#say({ type: 'MEMEND', msg: '유저 종료' });
  }

  /** The expert ends it for both. */
  end(): void {
    this.#say({ type: 'END', nick: '전문가', msg: '종료' });
    // Who is away hears of it when he comes back: the line stays until this page goes.
    this.#finish('ended', !this.present.value);
  }

  leave(): void {
    this.#say({ type: 'GONE' });
    this.#finish('left');
  }

  close(): void {
    if (this.ending.value === null) this.leave();
    this.#line.close();
  }

  #watch(): void {
    this.#stops.push(
      effect(() => {
        const track = this.preview.audio.value;
        if (track) track.enabled = this.micOn.value;
      }),
      this.micOn.subscribe((on) => this.#tell('MIC', on)),
      this.camOn.subscribe((on) => this.#tell('CAM', on)),
      this.#line.state.subscribe((state) => state === 'broken' && this.#broke()),
      effect(() => {
        void this.pulse.sample.value;
        this.together_ms.value = this.together;
        this.#judge();
      }),
      effect(() => {
        void [this.present.value, this.media.state.value, this.call.looking.value, this.#line.state.value];
        this.#judge();
      }),
    );
  }

  #tell(type: 'MIC' | 'CAM', on: boolean): void {
    if (this.present.peek()) this.#say({ type, msg: on ? 'on' : 'off' });
  }

  #opened(): void {
    clearTimeout(this.#greetingTimer);
    this.#greetingTimer = setTimeout(() => {
      this.#ownBroke = false;
      this.#judge();
    }, GREETING_MS_MAX);
  }

  #broke(): void {
    if (this.ending.peek()) return;
    clearTimeout(this.#greetingTimer);
    this.#ownBroke = true;
    this.present.value = false;
    this.#note.part();
    if (this.sending.peek() > 0) {
      this.sending.value = 0;
      this.told({ tell: 'picture_failed', why: 'line' });
    }
  }

  #heard(message: Record<string, unknown>): void {
    const word = readWord(message);
    if (!word) return;
    if (this.ending.value) {
      if (word.type === 'JOIN' && this.ending.value === 'ended') this.#say({ type: 'END', nick: '전문가', msg: '종료' });
      return;
    }
    switch (word.type) {
      case 'JOIN':
        return this.#came(word.nick ?? '');
      case 'HERE':
        return this.#stands(readHere(word));
      case 'BYE':
        return this.#went();
      case 'GONE':
        this.#hasLeft = true;
        return;
      case 'CAM':
        this.other.cam.value = word.msg === 'on';
        return;
      case 'MIC':
        this.other.mic.value = word.msg === 'on';
        return;
      case 'TXT':
        if (this.#held) this.#held.push(word);
        else this.#heardNote(word);
        return;
      case 'FILE2':
        return this.#shown(word);
      case 'MEMEND':
        return this.#isDone();
      case 'END':
        return this.#finish('ended');
      case 'ICE':
        return this.#know(word.msg);
      case 'RENEW':
        return this.#asked(word.msg);
      case 'WAY':
        if (word.msg === 'server') this.#goByServer();
        return;
      case 'ERROR':
        return this.#refused(word.msg);
      default:
        this.media.heard(word);
    }
  }

  #came(name: string): void {
    this.other.name.value = name;
    this.#ownBroke = false;
    this.#hasLeft = false;
    this.#isGreeting = true;
    this.#sayHere(true);
  }

  #sayHere(ask: boolean): void {
    this.#say(
      sayHere({ page: this.#page, cam: this.camOn.value, mic: this.micOn.value, together_ms: Math.round(this.together), done: this.done.value && this.entry.role === 'member', pictures: [...this.pictures.value], ask }),
    );
  }

  #stands(here: Here | null): void {
    if (!here) return;
    if (here.ask) this.#sayHere(false);
    const isNewPage = here.page !== this.#otherPage;
    this.#otherPage = here.page;
    this.other.cam.value = here.cam;
    this.other.mic.value = here.mic;
    this.pictures.value = united(this.pictures.value, here.pictures);
    if (here.done) this.#isDone();
    const met_ms = performance.now() - here.together_ms;
    this.since_ms.value = Math.min(this.since_ms.value ?? met_ms, met_ms);
    this.#sayNote(this.#note.meet());
    this.noteText.value = this.#note.text;
    if (!this.present.value) this.told({ tell: this.hasMet.value ? 'back' : 'met' });
    this.present.value = true;
    this.hasMet.value = true;
    this.#connect(isNewPage);
    this.#isGreeting = false;
  }

  #connect(isNewPage: boolean): void {
    const { media } = this;
    if (this.entry.byServer) media.goByServer();
    if (media.isByServer.value) this.#say({ type: 'WAY', msg: 'server' });
    else if (this.entry.role === 'member') {
      if (isNewPage) media.drop();
    } else if (isNewPage || this.call.pc === null) media.begin();
    else if (this.#isGreeting && media.state.value !== 'connected') media.mend();
  }

  /** By which ways it may go. A relay ends with the line that it was given on: what goes over it looks for the new one. */
  #know(said: string | null): void {
    const isAnother = this.media.know(said);
    if (isAnother && this.pulse.path.peek()?.kind === 'relay') this.media.mend('ice');
  }

  /** The member's page gets nothing, or its relay is another one. */
  #asked(why: string | null): void {
    if (this.entry.role !== 'expert') return;
    if (why === 'ice') this.media.mend();
    else this.#climb('failed');
  }

  #climb(standing: Standing): void {
    if (this.media.climb(standing)) this.#wentByServer();
  }

  #goByServer(): void {
    if (this.media.goByServer()) this.#wentByServer();
  }

  #wentByServer(): void {
    this.#partedSince_ms = null;
    this.#say({ type: 'WAY', msg: 'server' });
    this.told({ tell: 'by_server' });
  }

  #went(): void {
    this.present.value = false;
    this.#note.part();
    if (this.#hasLeft) {
      this.media.drop();
      this.#otherPage = '';
    }
    this.#judge();
  }

  #heardNote({ msg, nick, label, id }: Word): void {
    this.#sayNote(this.#note.heard({ text: fromMarkup(msg ?? '').slice(0, NOTE_LENGTH_MAX * 2), nick, label, id }));
    this.noteText.value = this.#note.text;
  }

  #sayNote(word: NoteWord | null): void {
    if (word) this.#say({ type: 'TXT', msg: toMarkup(word.text), nick: word.nick, label: word.label, id: word.id });
  }

  #shown({ msg, id }: Word): void {
    const from: Role = id === 'expert' || id === 'member' ? id : this.entry.role === 'expert' ? 'member' : 'expert';
    if (from === this.entry.role) this.sending.value = Math.max(0, this.sending.value - 1);
    if (!isPictureName(msg)) return;
    this.pictures.value = united(this.pictures.value, [{ name: msg, from }]);
    this.told({ tell: 'picture', from });
  }

  #isDone(): void {
    if (this.done.value || this.entry.role !== 'expert') return;
    this.done.value = true;
    this.told({ tell: 'done' });
  }

  #refused(sentence: string | null): void {
    const trouble = pictureTroubleOf(sentence);
    if (trouble) {
      this.sending.value = Math.max(0, this.sending.value - 1);
      this.told({ tell: 'picture_failed', why: trouble });
      return;
    }
    const refusal = refusalOf(sentence);
    if (refusal) this.#finish(refusal);
  }

  #judge(): void {
    if (this.ending.peek()) return;
    const [line, state, silent_ms] = [this.#line.state.peek(), this.media.state.peek(), this.pulse.silent_ms.peek()];
    const isThere = this.present.peek();
    const isByServer = this.media.isByServer.peek();
    const isStill = isThere && (silent_ms >= MEND_AFTER_MS || state === 'failed' || state === 'disconnected');
    const now_ms = performance.now();
    if (!isThere || state === 'connected') this.#partedSince_ms = null;
    else this.#partedSince_ms ??= now_ms;
    const isHopeless = state === 'failed' || (this.#partedSince_ms !== null && now_ms - this.#partedSince_ms >= NO_WAY_AFTER_MS);
    if (line === 'broken' || this.#ownBroke) this.trouble.value = 'own';
    else if (!isThere) this.trouble.value = this.hasMet.peek() ? (this.#hasLeft ? 'left' : 'broke') : null;
    else if (isHopeless) this.trouble.value = isByServer ? 'no_server' : this.media.hasServer ? 'stalled' : 'no_way';
    else this.trouble.value = this.pulse.isStalled || state === 'disconnected' ? 'stalled' : null;
    if (isThere && !isByServer) {
      if (this.entry.role === 'expert') this.#climb(state === 'failed' ? 'failed' : isStill || state !== 'connected' ? 'trying' : 'well');
      else if (isStill && now_ms - this.#mendedAt_ms > MEND_EVERY_MS) {
        this.#mendedAt_ms = now_ms;
        this.media.mend();
      }
    }
    if (isThere && silent_ms >= RENEW_AFTER_MS && now_ms - this.#renewedAt_ms > RENEW_AFTER_MS) {
      this.#renewedAt_ms = now_ms;
      this.#line.renew();
    }
  }

  #say(said: Said): boolean {
    return this.#line.send(said);
  }

  #finish(ending: Ending, keepLine = false): void {
    if (this.ending.value) return;
    this.together_ms.value = this.together;
    this.ending.value = ending;
    for (const stop of this.#stops.splice(0)) stop();
    clearTimeout(this.#greetingTimer);
    if (this.#noteTimer !== null) clearTimeout(this.#noteTimer);
    this.pulse.stop();
    this.media.close();
    this.preview.close();
    if (!keepLine) this.#line.close();
  }
}

function united(known: readonly Picture[], more: readonly Picture[]): readonly Picture[] {
  const fresh = more.filter(({ name }) => !known.some((picture) => picture.name === name));
  return fresh.length === 0 ? known : [...known, ...fresh];
}
