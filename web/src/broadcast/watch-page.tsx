/** The watch page: the picture, and what there is to wait for. */
import '../styles/room.css';
import '../styles/broadcast.css';
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { bitrate } from '../lib/format';
import { watchPath } from '../lib/invite';
import { route } from '../route';
import { MessagePage } from '../screens/message';
import { useAwake } from '../ui/awake';
import { LanguageToggle, ThemeToggle } from '../ui/chrome';
import { copyLink } from '../ui/copy';
import { Icon, Logo } from '../ui/icons';
import { announce } from '../ui/notices';
import { Watching } from './watching';

/** `blocked`: the browser plays no sound before a press. */
type Sound = 'on' | 'off' | 'blocked';

export function Page() {
  const at = route.value;
  const { room, token } = 'invitation' in at ? at.invitation : { room: '', token: null };
  const watching = useMemo(() => new Watching(room, token), []);
  useEffect(() => () => watching.close(), []);
  const refusal = watching.refusal.value;
  if (refusal) {
    const { title, text } = t.value.broadcast.refused[refusal.why];
    return (
      <MessagePage title={title} text={text} detail={refusal.sentence} testId="watch-refused" code={refusal.why}>
        <button type="button" class="button button-main" onClick={() => watching.again()}>
          {t.value.prejoin.retry}
        </button>
      </MessagePage>
    );
  }
  return <Player watching={watching} />;
}

function Player({ watching }: { watching: Watching }) {
  const words = t.value.broadcast;
  const stage = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const sound = useSignal<Sound>('on');
  const state = watching.state.value;
  useAwake(state === 'live');
  useEffect(() => announce(words.states[state]), [state]);
  return (
    <div class="room watch" data-testid="watch" data-state={state}>
      <main class="room-main" id="main">
        <h1 class="sr-only">
          {words.watchTitle}: {watching.room}
        </h1>
        <div class="watch-stage" ref={stage}>
          <Picture watching={watching} video={video} sound={sound} />
          <Badges watching={watching} />
          <Trouble watching={watching} />
          {state === 'live' && watching.isBlank.value && (
            <p class="watch-wait watch-blank" data-testid="watch-blank">
              <Icon name="camOff" size={40} />
              <span>{words.blank}</span>
            </p>
          )}
          {state !== 'live' && <Wait watching={watching} />}
          {state === 'live' && sound.value === 'blocked' && (
            <button type="button" class="button button-main watch-hear" data-testid="btn-sound-on" onClick={() => hear(video.current, sound)}>
              <Icon name="volume" size={22} />
              {words.soundOn}
            </button>
          )}
        </div>
      </main>
      <Bar watching={watching} stage={stage} video={video} sound={sound} />
    </div>
  );
}

function Picture({ watching, video, sound }: { watching: Watching; video: { current: HTMLVideoElement | null }; sound: Signal<Sound> }) {
  const stream = watching.stream.value;
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.srcObject = stream;
    if (stream) void play(element, sound);
  }, [stream]);
  return (
    <video
      ref={video}
      class="watch-video"
      data-testid="watch-video"
      playsInline
      aria-label={t.value.broadcast.watchTitle}
      onPlaying={() => watching.shown()}
      onTimeUpdate={() => watching.shown()}
    />
  );
}

/** With sound if the browser lets us, else without until somebody presses. */
async function play(video: HTMLVideoElement, sound: Signal<Sound>): Promise<void> {
  video.muted = sound.peek() !== 'on';
  try {
    await video.play();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'NotAllowedError')) return;
    sound.value = 'blocked';
    video.muted = true;
    await video.play().catch(() => undefined);
  }
}

function hear(video: HTMLVideoElement | null, sound: Signal<Sound>): void {
  sound.value = 'on';
  if (video) void play(video, sound);
}

function Badges({ watching }: { watching: Watching }) {
  const words = t.value.broadcast;
  const count = watching.viewers.value;
  return (
    <div class="on-air">
      {watching.state.value === 'live' && (
        <span class="air air-live" data-testid="watch-live">
          {words.live}
        </span>
      )}
      {count > 0 && (
        <span class="air air-quiet" data-testid="watch-viewers" title={words.viewers(count)} aria-label={words.viewers(count)}>
          <Icon name="eye" size={18} />
          {count}
        </span>
      )}
    </div>
  );
}

function Trouble({ watching }: { watching: Watching }) {
  const words = t.value.broadcast;
  const trouble = watching.trouble.value;
  useEffect(() => {
    if (trouble) announce(words.trouble[trouble]);
  }, [trouble]);
  if (!trouble) return null;
  return (
    <div class="banners">
      <div class="banner banner-trouble" data-testid="watch-trouble" data-trouble={trouble}>
        <span class="spinner" aria-hidden="true" />
        <span>{words.trouble[trouble]}</span>
      </div>
    </div>
  );
}

function Wait({ watching }: { watching: Watching }) {
  const words = t.value.broadcast;
  const state = watching.state.value;
  if (state === 'live' || state === 'refused') return null;
  const isIdle = state === 'waiting' || state === 'stopped';
  return (
    <div class="watch-wait" data-testid="watch-wait">
      <Logo size={64} />
      <p class="watch-wait-title">{words.states[state]}</p>
      {isIdle ? <p>{words.startsByItself}</p> : <span class="spinner" aria-hidden="true" />}
    </div>
  );
}

interface BarProps {
  watching: Watching;
  stage: { current: HTMLDivElement | null };
  video: { current: HTMLVideoElement | null };
  sound: Signal<Sound>;
}

function Bar({ watching, stage, video, sound }: BarProps) {
  const words = t.value.broadcast;
  const isOn = sound.value === 'on';
  const isLive = watching.state.value === 'live';
  const sample = watching.pulse.sample.value;
  const row = sample?.rows.find(({ direction, kind }) => direction === 'in' && kind === 'video');
  const full = (): void => {
    if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
    else void stage.current?.requestFullscreen?.().catch(() => undefined);
  };
  const shrink = (): void => {
    if (document.pictureInPictureElement) void document.exitPictureInPicture().catch(() => undefined);
    else void video.current?.requestPictureInPicture().catch(() => undefined);
  };
  const toggle = (): void => {
    if (!isOn) return hear(video.current, sound);
    sound.value = 'off';
    if (video.current) video.current.muted = true;
  };
  return (
    <section class="bar" aria-label={words.controls}>
      <div class="bar-left">
        <p class="bar-name">
          <strong>{watching.room}</strong>
          {isLive && sample && sample.received_bps > 0 && row && <span class="bar-time">{`${row.width} × ${row.height} · ${bitrate(sample.received_bps)}`}</span>}
        </p>
      </div>
      <div class="bar-middle">
        <button type="button" class="round" data-testid="btn-sound" aria-pressed={isOn} aria-label={words.sound} title={words.sound} onClick={toggle}>
          <Icon name={isOn ? 'volume' : 'volumeOff'} />
        </button>
        {document.pictureInPictureEnabled && (
          <button type="button" class="round" data-testid="btn-pip" aria-label={words.pip} title={words.pip} disabled={!isLive} onClick={shrink}>
            <Icon name="small" />
          </button>
        )}
        {document.fullscreenEnabled && (
          <button type="button" class="round" data-testid="btn-full" aria-label={words.full} title={words.full} onClick={full}>
            <Icon name="full" />
          </button>
        )}
        {watching.token === null && (
          <button type="button" class="round" data-testid="btn-link" aria-label={words.copyLink} title={words.copyLink} onClick={() => void copyLink(location.origin + watchPath(watching.room))}>
            <Icon name="link" />
          </button>
        )}
      </div>
      <div class="bar-right">
        <LanguageToggle />
        <ThemeToggle />
      </div>
    </section>
  );
}
