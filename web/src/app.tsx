import { effect, useComputed } from '@preact/signals';
import { t } from './i18n';
import { route } from './route';
import { Home } from './screens/home';
import { MessagePage } from './screens/message';
import { Visit } from './screens/visit';
import { Notices } from './ui/notices';

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
  const room = useComputed(() => (route.value.at === 'room' ? route.value.invitation.room : null));
  const at = useComputed(() => route.value.at);
  switch (at.value) {
    case 'home':
      return <Home />;
    case 'room':
      return <Visit key={room.value} />;
    case 'nowhere':
      return <MessagePage title={t.value.notFound.title} text={t.value.notFound.text} />;
  }
}

effect(() => {
  document.title = route.value.at === 'room' ? `${route.value.invitation.room} · madang` : 'madang';
});
