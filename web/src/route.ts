import { signal } from '@preact/signals';
import { type CounselRole, type Invitation, parseAddress, parseLocation, parsePageToken } from './lib/invite';

export type Route =
  | { at: 'home' }
  | { at: 'room'; invitation: Invitation }
  | { at: 'counsel'; invitation: Invitation; role: CounselRole; byServer: boolean }
  | { at: 'studio' | 'watch'; invitation: Invitation }
  | { at: 'check'; token: string | null }
  | { at: 'nowhere' };

export const route = signal<Route>(read());

export function startRoutes(): void {
  addEventListener('popstate', () => {
    route.value = read();
  });
  // A second invitation pasted into the address bar changes the fragment alone.
  addEventListener('hashchange', () => {
    route.value = read();
  });
}

export function go(path: string): void {
  history.pushState(null, '', path);
  route.value = read();
  scrollTo(0, 0);
}

function read(): Route {
  if (location.pathname === '/' || location.pathname === '/index.html') return { at: 'home' };
  if (/^\/check\/?$/.test(location.pathname)) return { at: 'check', token: parsePageToken(location.hash) };
  const invitation = parseLocation(location.pathname, location.hash);
  if (invitation) return { at: 'room', invitation };
  const address = parseAddress(location.pathname, location.search, location.hash);
  if (!address) return { at: 'nowhere' };
  const { place, role, byServer } = address;
  return place === 'counsel' ? { at: place, invitation: address.invitation, role, byServer } : { at: place, invitation: address.invitation };
}
