/** What the room's screen remembers: which layout, who is pinned, which panel is open. */

import { effect, signal } from '@preact/signals';
import { load, save } from '../lib/storage';
import type { Session } from './session';

export type Layout = 'grid' | 'speaker';
export type Panel = 'chat' | 'people' | null;
export type Window = 'settings' | 'keys' | null;

export class RoomState {
  readonly layout = signal<Layout>(load('local', 'layout') === 'speaker' ? 'speaker' : 'grid');
  readonly filmstrip = signal(true);
  readonly pinned = signal<string | null>(null);
  readonly page = signal(0);
  readonly panel = signal<Panel>(null);
  readonly window = signal<Window>(null);
  readonly stats = signal(false);
  /** Keys of the tiles in the order shown, for pinning by number. */
  readonly order = signal<readonly string[]>([]);
  /** A shared screen took the large place without being asked, and gives it back. */
  #turnedBy: 'person' | 'screen' = 'person';
  #screens = 0;

  constructor(readonly session: Session) {}

  /** Follows shared screens; the caller ends it. */
  start(): () => void {
    return effect(() => {
      const screens = this.session.tiles.value.filter((tile) => tile.source === 'screen_share').length;
      const before = this.#screens;
      this.#screens = screens;
      if (screens > before && this.layout.peek() === 'grid') {
        this.#turnedBy = 'screen';
        this.layout.value = 'speaker';
      } else if (screens === 0 && before > 0 && this.#turnedBy === 'screen') {
        this.#turnedBy = 'person';
        this.layout.value = 'grid';
      }
    });
  }

  toggleLayout(): void {
    this.#turnedBy = 'person';
    this.layout.value = this.layout.value === 'grid' ? 'speaker' : 'grid';
    if (this.layout.value === 'grid') this.pinned.value = null;
    this.page.value = 0;
    save('local', 'layout', this.layout.value);
  }

  togglePin(key: string): void {
    if (this.pinned.value === key) this.pinned.value = null;
    else {
      this.pinned.value = key;
      this.layout.value = 'speaker';
    }
    this.page.value = 0;
  }

  /** Tiles are numbered from one; zero unpins. */
  pinNumber(number: number): void {
    const key = number === 0 ? undefined : this.order.value[number - 1];
    if (number === 0) this.pinned.value = null;
    else if (key !== undefined && key !== this.pinned.value) this.togglePin(key);
  }

  togglePanel(panel: Exclude<Panel, null>): void {
    this.panel.value = this.panel.value === panel ? null : panel;
    this.session.conversation.setOpen(this.panel.value === 'chat');
  }
}
