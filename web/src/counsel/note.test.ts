import { describe, expect, it } from 'vitest';
import { Follower, Keeper, type Note, type NoteWord } from './note';

/** Two pages and the way between them, on which words are under way until they are let through. */
class Desk {
  keeper: Note = new Keeper('e1');
  follower: Note = new Follower('m1');
  readonly toKeeper: NoteWord[] = [];
  readonly toFollower: NoteWord[] = [];

  meet(): void {
    this.#put(this.toFollower, this.keeper.meet());
    this.#put(this.toKeeper, this.follower.meet());
  }

  /** The line breaks: what was under way is lost. */
  part(): void {
    this.toKeeper.length = 0;
    this.toFollower.length = 0;
    this.keeper.part();
    this.follower.part();
  }

  write(side: 'keeper' | 'follower', text: string): void {
    this[side].edit(text);
    this.flush(side);
  }

  flush(side: 'keeper' | 'follower'): void {
    this.#put(side === 'keeper' ? this.toFollower : this.toKeeper, this[side].pending());
  }

  /** One word arrives. */
  arrive(side: 'keeper' | 'follower'): boolean {
    const word = (side === 'keeper' ? this.toKeeper : this.toFollower).shift();
    if (!word) return false;
    this.#put(side === 'keeper' ? this.toFollower : this.toKeeper, this[side].heard(word));
    return true;
  }

  settle(): void {
    let rounds = 0;
    do {
      this.flush('keeper');
      this.flush('follower');
      expect(rounds++, 'it comes to rest').toBeLessThan(200);
    } while (this.arrive('keeper') || this.arrive('follower'));
  }

  #put(way: NoteWord[], word: NoteWord | null): void {
    if (word) way.push(word);
  }
}

function together(): Desk {
  const desk = new Desk();
  desk.meet();
  desk.settle();
  return desk;
}

function both(desk: Desk): string {
  desk.settle();
  expect(desk.follower.text).toBe(desk.keeper.text);
  return desk.keeper.text;
}

describe('the note', () => {
  it('goes both ways', () => {
    const desk = together();
    desk.write('keeper', 'hello');
    expect(both(desk)).toBe('hello');
    desk.write('follower', 'hello, doctor');
    expect(both(desk)).toBe('hello, doctor');
  });

  it('keeps what both write at the same time', () => {
    const desk = together();
    desk.write('keeper', 'one two three');
    both(desk);
    desk.write('keeper', 'ONE two three');
    desk.write('follower', 'one two THREE');
    desk.write('keeper', 'ONE! two three');
    desk.write('follower', 'one two THREE!');
    expect(both(desk)).toBe('ONE! two THREE!');
  });

  it('is there for who comes late, with what he wrote while alone', () => {
    const desk = new Desk();
    desk.write('keeper', 'before you came');
    desk.write('follower', 'my question');
    expect(desk.toKeeper.length + desk.toFollower.length).toBe(0);
    desk.meet();
    expect(both(desk)).toBe('before you came\nmy question');
  });

  it('survives a broken line, whatever was lost on it', () => {
    for (const lost of ['change', 'answer'] as const) {
      const desk = together();
      desk.write('keeper', 'a\n');
      both(desk);
      desk.write('follower', 'a\nb\n');
      if (lost === 'answer') desk.arrive('keeper');
      desk.part();
      desk.write('follower', 'a\nb\nc\n');
      desk.write('keeper', `top\n${desk.keeper.text}`);
      desk.meet();
      expect(both(desk), lost).toBe('top\na\nb\nc\n');
    }
  });

  it('comes back to a page that was loaded anew, on either side', () => {
    const desk = together();
    desk.write('keeper', 'our note');
    both(desk);
    desk.part();
    desk.keeper = new Keeper('e2');
    desk.write('follower', 'our note!');
    desk.meet();
    expect(both(desk)).toBe('our note!');
    desk.part();
    desk.follower = new Follower('m2');
    desk.meet();
    expect(both(desk)).toBe('our note!');
  });

  it('takes the word of a page that numbers nothing', () => {
    const desk = together();
    desk.keeper.heard({ text: 'plain', nick: null, label: null, id: null });
    expect(desk.keeper.text).toBe('plain');
    desk.follower.heard({ text: 'plain too', nick: null, label: null, id: null });
    expect(desk.follower.text).toBe('plain too');
  });

  it('refuses a change to what it does not know, and the member carries it over', () => {
    const desk = together();
    desk.write('follower', 'mine');
    for (let n = 0; n < 70; n++) desk.keeper.edit(`expert ${n}`);
    expect(both(desk)).toBe('expert 69\nmine');
  });

  it('comes to the same text whatever happens', () => {
    // A small generator of its own: a failure can be run again.
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    for (let run = 0; run < 60; run++) {
      const desk = together();
      for (let step = 0; step < 60; step++) {
        const side = random(2) === 0 ? 'keeper' : 'follower';
        const { text } = desk[side];
        const [at, gone] = [random(text.length + 1), random(4)];
        const what = random(12);
        if (what < 5) desk.write(side, text.slice(0, at) + ['x', 'word ', '\n', '가'][random(4)] + text.slice(at + (what === 0 ? gone : 0)));
        else if (what < 11) desk.arrive(side);
        else {
          desk.part();
          if (random(3) === 0) desk[side] = side === 'keeper' ? new Keeper(`e${run}-${step}`) : new Follower(`m${run}-${step}`);
          desk.meet();
        }
      }
      both(desk);
    }
  });
});
