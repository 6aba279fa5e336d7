/**
 * The note that both write into. The expert's page keeps it: it puts changes together, numbers what comes of it, and its word counts.
 * The member's page has one change under way at a time and carries what was written meanwhile over to what comes back. So both
 * end with the same text, whoever writes when, and whoever comes late or comes back.
 */

import { join, merge } from '../lib/merge';

/** What one person may write. Two who wrote apart from each other may together come to twice as much. */
export const NOTE_LENGTH_MAX = 20_000;

/** As it stands in the word `TXT`: the keeper's page in `nick`, its number in `label`; in `id` the change, or which was taken in. */
export interface NoteWord {
  text: string;
  nick: string | null;
  label: string | null;
  id: string | null;
}

export interface Note {
  readonly text: string;
  /** Somebody writes here. */
  edit(text: string): void;
  /** What the other has to be told now, once. */
  pending(): NoteWord | null;
  /** What the other said; the answer to it. */
  heard(word: NoteWord): NoteWord | null;
  /** The other is there, perhaps again. */
  meet(): NoteWord | null;
  /** The other is gone: nothing is said until the next `meet`. */
  part(): void;
}

/** So many former texts are kept to compare changes with: more than are written while one is under way. */
const PAST_MAX = 64;
const REFUSED = '!';

/** The expert's side. */
export class Keeper implements Note {
  text = '';
  #revision = 0;
  #past = new Map<number, string>([[0, '']]);
  #taken = '';
  #met = false;
  #told = true;

  constructor(readonly page: string) {}

  edit(text: string): void {
    if (text === this.text) return;
    this.#become(text);
    this.#told = false;
  }

  pending(): NoteWord | null {
    if (!this.#met || this.#told) return null;
    return this.#state(this.#taken);
  }

  heard({ text, nick, label, id }: NoteWord): NoteWord | null {
    // A page that numbers nothing: what it says last is what holds.
    if (label === null || id === null) {
      this.#become(text);
      return null;
    }
    if (id === this.#taken) return this.#state(id);
    const base = nick === this.page ? this.#past.get(Number(label)) : undefined;
    if (base === undefined) return this.#state(REFUSED + id);
    this.#taken = id;
    const merged = merge(base, this.text, text).slice(0, 2 * NOTE_LENGTH_MAX);
    if (merged !== this.text) this.#become(merged);
    return this.#state(id);
  }

  meet(): NoteWord {
    this.#met = true;
    return this.#state(this.#taken);
  }

  part(): void {
    this.#met = false;
  }

  #become(text: string): void {
    this.text = text;
    this.#past.set(++this.#revision, text);
    this.#past.delete(this.#revision - PAST_MAX);
  }

  #state(id: string): NoteWord {
    this.#told = true;
    return { text: this.text, nick: this.page, label: String(this.#revision), id };
  }
}

/** The member's side. */
export class Follower implements Note {
  text = '';
  /** What the keeper said last. */
  #base = { page: '', revision: 0, text: '' };
  #underWay: { id: string; text: string } | null = null;
  #met = false;
  #changes = 0;

  constructor(readonly page: string) {}

  edit(text: string): void {
    this.text = text;
  }

  pending(): NoteWord | null {
    if (!this.#met || this.#base.page === '' || this.#underWay || this.text === this.#base.text) return null;
    this.#underWay = { id: `${this.page}:${++this.#changes}`, text: this.text };
    return this.#change(this.#underWay);
  }

  heard({ text, nick, label, id }: NoteWord): NoteWord | null {
    const revision = Number(label);
    if (label === null || nick === null || !Number.isSafeInteger(revision)) {
      this.text = text;
      this.#base = { page: '', revision: 0, text };
      this.#underWay = null;
      return null;
    }
    const isKnown = nick === this.#base.page;
    const underWay = this.#underWay;
    const isTaken = underWay !== null && id === underWay.id;
    // What is under way comes back in what follows, with this in it.
    if (isKnown && underWay && !isTaken && id !== REFUSED + underWay.id) return null;
    if (isKnown && revision < this.#base.revision) return null;
    const seen = isTaken ? underWay.text : this.#base.text;
    this.text = isKnown ? merge(seen, text, this.text) : join(text, this.text);
    this.#base = { page: nick, revision, text };
    this.#underWay = null;
    return this.pending();
  }

  meet(): NoteWord | null {
    this.#met = true;
    // It may have been lost, or only the answer to it: the keeper knows by its id.
    return this.#underWay ? this.#change(this.#underWay) : null;
  }

  part(): void {
    this.#met = false;
  }

  #change({ id, text }: { id: string; text: string }): NoteWord {
    return { text, nick: this.#base.page, label: String(this.#base.revision), id };
  }
}
