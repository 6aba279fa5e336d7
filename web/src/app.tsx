import { effect, useComputed } from '@preact/signals';
import { t } from './i18n';
import { route } from './route';
import { Home } from './screens/home';
import { Lazy } from './screens/lazy';
import { MessagePage } from './screens/message';
import { Visit } from './screens/visit';
import { Notices } from './ui/notices';

/** Pages that few open: each comes when it is asked for. */
const PAGES = {
  check: () => import('./check'),
  counsel: () => import('./counsel'),
  studio: () => import('./broadcast/studio-page'),
  watch: () => import('./broadcast/watch-page'),
};

export function App() {
  return (
    <>
      <Screen />
      <Notices />
    </>
  );
}

function Screen() {
  // Only another room is another visit: the fragment may change while somebody is inside.
  const place = useComputed(() => JSON.stringify(placeOf(route.value)));
  const at = useComputed(() => route.value.at);
  switch (at.value) {
    case 'home':
      return <Home />;
    case 'room':
      return <Visit key={place.value} />;
    case 'check':
    case 'counsel':
    case 'studio':
    case 'watch':
      return <Lazy key={place.value} load={PAGES[at.value]} />;
    case 'nowhere':
      return <MessagePage title={t.value.notFound.title} text={t.value.notFound.text} />;
  }
}

function placeOf(now: typeof route.value): unknown[] {
  switch (now.at) {
    case 'home':
    case 'nowhere':
      return [now.at];
    case 'check':
      return [now.at, now.token];
    case 'counsel':
      return [now.at, now.invitation.room, now.role];
    case 'room':
    case 'studio':
    case 'watch':
      return [now.at, now.invitation.room];
  }
}

effect(() => {
  document.title = 'invitation' in route.value ? `${route.value.invitation.room} · madang` : 'madang';
});
