import { useComputed } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { RemoteAudioTrack } from 'livekit-client';
import { t } from '../i18n';
import { Banners } from './banners';
import { ChatPanel } from './chat-panel';
import { listenToKeys } from './keys';
import { PeoplePanel } from './people-panel';
import type { Session } from './session';
import { Stage } from './stage';
import { RoomState } from './state';
import { StatsOverlay } from './stats-overlay';
import { Toolbar } from './toolbar';
import { Windows } from './windows';

export function RoomScreen({ session }: { session: Session }) {
  const state = useMemo(() => new RoomState(session), [session]);
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that led here is gone: the keyboard starts anew at the top of the room.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  useEffect(() => state.start(), [state]);
  useEffect(() => listenToKeys(session, state), [session, state]);
  return (
    <div class="room" data-testid="room" data-panel={state.panel.value ?? 'none'} data-connection={session.connection.value}>
      <main class="room-main" id="main">
        <h1 class="sr-only" tabIndex={-1} ref={heading}>
          {session.name}
        </h1>
        <Banners session={session} state={state} />
        <Stage session={session} state={state} />
        {state.stats.value && <StatsOverlay session={session} state={state} />}
      </main>
      {state.panel.value === 'chat' && <ChatPanel session={session} state={state} />}
      {state.panel.value === 'people' && <PeoplePanel session={session} state={state} />}
      <Toolbar session={session} state={state} />
      <Voices session={session} />
      <Windows session={session} state={state} />
    </div>
  );
}

/** Everybody's sound, wherever their tile is. */
function Voices({ session }: { session: Session }) {
  const tracks = useComputed(() => session.audioTracks.value);
  return (
    <div hidden aria-label={t.value.stats.audio}>
      {tracks.value.map(({ key, track }) => (
        <Voice key={key} track={track as RemoteAudioTrack} />
      ))}
    </div>
  );
}

function Voice({ track }: { track: RemoteAudioTrack }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const audio = element.current;
    if (!audio) return;
    track.attach(audio);
    return () => {
      track.detach(audio);
    };
  }, [track]);
  return <audio ref={element} data-testid="audio" />;
}
