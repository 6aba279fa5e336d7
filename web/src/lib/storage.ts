/** The browser's stores, which may be full, forbidden or empty. */

export function load(store: 'local' | 'session', key: string): string | null {
  try {
    return area(store).getItem(`madang.${key}`);
  } catch {
    return null;
  }
}

export function save(store: 'local' | 'session', key: string, value: string): void {
  try {
    area(store).setItem(`madang.${key}`, value);
  } catch {
    // Private windows may refuse: then the choice lasts as long as the page.
  }
}

function area(store: 'local' | 'session'): Storage {
  return store === 'local' ? localStorage : sessionStorage;
}
