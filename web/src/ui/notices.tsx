/** Short-lived words: seen at the edge of the screen, and read out politely. */

import { signal } from '@preact/signals';
import { Icon, type IconName } from './icons';

interface Notice {
  id: number;
  text: string;
  icon: IconName | null;
}

const SHOWN_MAX = 3;
const SHOWN_FOR_MS = 5_000;

const notices = signal<Notice[]>([]);
const spoken = signal('');
let nextId = 0;

export function notify(text: string, icon: IconName | null = null): void {
  const notice = { id: nextId++, text, icon };
  notices.value = [...notices.value, notice].slice(-SHOWN_MAX);
  announce(text);
  setTimeout(() => {
    notices.value = notices.value.filter((each) => each.id !== notice.id);
  }, SHOWN_FOR_MS);
}

/** Another screen: what was said about the one before is not shown on it. */
export function hush(): void {
  notices.value = [];
}

/** For screen readers alone. */
export function announce(text: string): void {
  // The same words twice would not be read twice: an invisible mark makes them differ.
  spoken.value = spoken.value === text ? `${text}\u00a0` : text;
}

/** Mounted once for the life of the page: a live region that comes and goes is not heard. */
export function Notices() {
  return (
    <>
      <div class="notices" aria-hidden="true">
        {notices.value.map((notice) => (
          <p class="notice" key={notice.id} data-testid="notice">
            {notice.icon && <Icon name={notice.icon} size={18} />}
            <span>{notice.text}</span>
          </p>
        ))}
      </div>
      <div class="sr-only" role="status" aria-live="polite" data-testid="live-region">
        {spoken.value}
      </div>
    </>
  );
}
