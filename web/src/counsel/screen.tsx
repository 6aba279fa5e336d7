import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { duration } from '../lib/format';
import { counselPath } from '../lib/invite';
import { canChooseSpeaker } from '../lib/media';
import { devices, mirrorOn } from '../prefs';
import { Avatar } from '../ui/avatar';
import { useAwake } from '../ui/awake';
import { LanguageChoice, LanguageToggle, ThemeChoice, ThemeToggle } from '../ui/chrome';
import { Confirm } from '../ui/confirm';
import { LinkField } from '../ui/copy';
import { DeviceSelect, useDevices } from '../ui/devices';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icons';
import { announce, notify } from '../ui/notices';
import { NotePanel } from './note-panel';
import { PicturePanel } from './pictures';
import type { Session } from './session';

type Tab = 'note' | 'pictures';

export function CounselScreen({ session }: { session: Session }) {
  const words = t.value.counsel;
  const heading = useRef<HTMLHeadingElement>(null);
  const tab = useSignal<Tab>('note');
  useAwake(true);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div class="room counsel" data-testid="counsel" data-role={session.entry.role} data-present={session.present.value}>
      <main class="room-main" id="main">
        <h1 class="sr-only" tabIndex={-1} ref={heading}>
          {words.name}: {session.entry.room}
        </h1>
        <Banner session={session} />
        <Stage session={session} />
      </main>
      <aside class="counsel-side" data-tab={tab.value} aria-label={words.side}>
        <div class="counsel-tabs segments" role="tablist" aria-label={words.side}>
          <TabButton tab={tab} of="note" label={words.note} />
          <TabButton tab={tab} of="pictures" label={words.picturesCount(session.pictures.value.length)} />
        </div>
        <NotePanel session={session} />
        <PicturePanel session={session} />
      </aside>
      <Bar session={session} />
    </div>
  );
}

function TabButton({ tab, of, label }: { tab: { value: Tab }; of: Tab; label: string }) {
  return (
    <button
      type="button"
      role="tab"
      class="counsel-tab"
      aria-selected={tab.value === of}
      aria-controls={`counsel-${of}`}
      data-testid={`tab-${of}`}
      onClick={() => {
        tab.value = of;
      }}
    >
      {label}
    </button>
  );
}

/** Who the other is, as far as it is known. */
export function otherName(session: Session): string {
  const words = t.value.counsel;
  return session.other.name.value || (session.entry.role === 'expert' ? words.member : words.expert);
}

function Stage({ session }: { session: Session }) {
  const name = otherName(session);
  const hasPicture = session.media.stream.value !== null && session.other.cam.value;
  const isMuted = session.present.value && !session.other.mic.value;
  return (
    <div class="counsel-stage">
      <figure class="counsel-other" data-testid="counsel-other" data-video={hasPicture}>
        <RemoteVideo session={session} shown={hasPicture} />
        {!hasPicture && (session.hasMet.value ? <Blank session={session} name={name} /> : <Waiting session={session} />)}
        {session.hasMet.value && (
          <figcaption class="tile-foot">
            <span class="tile-name">
              {isMuted && <Icon name="micOff" size={16} />}
              <span class="tile-name-text">{name}</span>
              {isMuted && <span class="sr-only">, {t.value.room.muted}</span>}
              <span class="counsel-time" aria-hidden="true">
                {duration(session.together_ms.value)}
              </span>
            </span>
          </figcaption>
        )}
        <PathShown session={session} />
      </figure>
      <OwnVideo session={session} />
    </div>
  );
}

/** Which way sound and picture go just now, and how far it is there and back. */
function PathShown({ session }: { session: Session }) {
  const words = t.value.path;
  const path = session.pulse.path.value;
  if (!session.present.value || session.media.state.value !== 'connected' || path === null) return null;
  const kind = session.media.isByServer.value ? 'server' : path.kind;
  const via = words.via[path.via];
  const isNear = kind === 'near' || kind === 'nat';
  return (
    <p class="counsel-path" data-testid="path" data-path={kind} data-via={path.via} data-relay={path.kind === 'relay'} title={words.hint[kind](via)} tabIndex={0}>
      <Icon name={isNear ? 'link' : kind === 'relay' ? 'arrow' : 'broadcast'} size={16} />
      <span>{words.name[kind](via)}</span>
      {path.rtt_ms > 0 && (
        <span class="counsel-path-rtt" aria-label={words.rtt(path.rtt_ms)}>
          {path.rtt_ms} ms
        </span>
      )}
      <span class="sr-only">{words.hint[kind](via)}</span>
    </p>
  );
}

function RemoteVideo({ session, shown }: { session: Session; shown: boolean }) {
  const element = useRef<HTMLVideoElement>(null);
  const blocked = useSignal(false);
  const stream = session.media.stream.value;
  const play = (): void => {
    void element.current?.play().then(
      () => {
        blocked.value = false;
      },
      (error: unknown) => {
        blocked.value = error instanceof DOMException && error.name === 'NotAllowedError';
      },
    );
  };
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    video.srcObject = stream;
    if (stream) play();
  }, [stream]);
  const speaker = devices.speaker.value;
  useEffect(() => {
    // A speaker that is gone: the browser's own choice is as good.
    if (canChooseSpeaker()) void element.current?.setSinkId(speaker).catch(() => undefined);
  }, [speaker]);
  return (
    <>
      {/* Never hidden by `hidden`: its sound is the other's voice, also while there is no picture. */}
      <video ref={element} class={shown ? '' : 'counsel-unseen'} data-testid="counsel-remote" playsInline autoplay aria-label={otherName(session)} />
      {blocked.value && (
        <button type="button" class="button button-main counsel-hear" data-testid="btn-hear" onClick={play}>
          <Icon name="volume" size={20} />
          {t.value.banner.hear}
        </button>
      )}
    </>
  );
}

function Blank({ session, name }: { session: Session; name: string }) {
  const words = t.value.counsel;
  const isThere = session.present.value;
  return (
    <div class="counsel-blank">
      <Avatar name={name} id={session.entry.room + name} size="tile" />
      <p>{isThere ? (session.other.cam.value ? words.connecting : words.camOffOf(name)) : words.away(name)}</p>
    </div>
  );
}

function Waiting({ session }: { session: Session }) {
  const words = t.value.counsel;
  const { role, room, token } = session.entry;
  return (
    <div class="counsel-waiting" data-testid="counsel-waiting">
      <span class="waiting-dots" aria-hidden="true">
        <span />
        <span />
        <span />
      </span>
      <p class="counsel-waiting-title">{words.waiting[role]}</p>
      <p>{words.waitingHint[role]}</p>
      {/* A link with no token leads nobody in where tokens are wanted; each has to be sent his own. */}
      {role === 'expert' && token === null && <LinkField label={words.memberLink} link={location.origin + counselPath(room, 'member')} testId="member" />}
    </div>
  );
}

function OwnVideo({ session }: { session: Session }) {
  const words = t.value;
  const element = useRef<HTMLVideoElement>(null);
  const track = session.preview.video.value;
  useEffect(() => {
    if (element.current) element.current.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  return (
    <figure class="counsel-own" data-testid="counsel-own">
      <video ref={element} class={mirrorOn.value && session.preview.facing.value === 'user' ? 'mirrored' : ''} autoplay playsInline muted hidden={!track} aria-label={words.counsel.ownPicture} />
      {!track && (
        <p class="counsel-own-off">
          <Icon name="camOff" size={20} />
          <span class="sr-only">{words.prejoin.cameraOff}</span>
        </p>
      )}
    </figure>
  );
}

function Banner({ session }: { session: Session }) {
  const words = t.value.counsel;
  const trouble = session.trouble.value;
  const text = trouble === null ? '' : words.trouble[trouble](otherName(session));
  useEffect(() => {
    if (text) announce(text);
  }, [text]);
  if (trouble === null) return null;
  const isCalm = trouble === 'left';
  return (
    <div class="banners">
      <div class={isCalm ? 'banner banner-calm banner-plain' : 'banner banner-trouble'} data-testid="banner-line" data-trouble={trouble}>
        {isCalm ? <Icon name="leave" size={20} /> : <span class="spinner" aria-hidden="true" />}
        <span>{text}</span>
        {(trouble === 'no_way' || trouble === 'no_server') && (
          <a class="banner-link" data-testid="banner-check" href="/check" target="_blank" rel="noopener">
            {words.checkLink}
          </a>
        )}
      </div>
    </div>
  );
}

function Bar({ session }: { session: Session }) {
  const words = t.value.room;
  const asks = useSignal<'finish' | 'end' | 'settings' | null>(null);
  const close = (): void => {
    asks.value = null;
  };
  const ask = (what: 'finish' | 'end' | 'settings') => () => {
    asks.value = what;
  };
  const mine = t.value.counsel;
  return (
    <section class="bar" aria-label={words.controls}>
      <div class="bar-left counsel-bar-left">
        <p class="bar-name">
          <strong>{session.hasMet.value ? otherName(session) : mine.name}</strong>
          <Elapsed session={session} />
        </p>
      </div>
      <div class="bar-middle">
        <Toggle id="btn-mic" on={session.micOn.value} label={words.mic} icons={['mic', 'micOff']} failure={session.preview.failures.audio.value} onToggle={(on) => void session.setMic(on)} />
        <Toggle id="btn-cam" on={session.camOn.value} label={words.cam} icons={['cam', 'camOff']} failure={session.preview.failures.video.value} onToggle={(on) => void session.setCam(on)} />
        <button type="button" class="round" data-testid="btn-settings" aria-label={words.settings} title={words.settings} onClick={ask('settings')}>
          <Icon name="settings" />
        </button>
        <FinishButton session={session} onFinish={ask('finish')} onEnd={ask('end')} />
        <button type="button" class="round round-leave" data-testid="btn-leave" aria-label={words.leave} title={words.leave} onClick={() => session.leave()}>
          <Icon name="leave" />
        </button>
      </div>
      <div class="bar-right">
        <LanguageToggle />
        <ThemeToggle />
      </div>
      {asks.value === 'finish' && <Confirm title={mine.finish} text={mine.finishAsk} action={mine.finishYes} testId="confirm-finish" onConfirm={() => session.finish()} onClose={close} />}
      {asks.value === 'end' && <Confirm title={mine.endIt} text={session.present.value ? mine.endAsk : mine.endAskAway} action={mine.endYes} testId="confirm-end" onConfirm={() => session.end()} onClose={close} />}
      {asks.value === 'settings' && <Settings session={session} onClose={close} />}
    </section>
  );
}

function Elapsed({ session }: { session: Session }) {
  if (session.since_ms.value === null) return null;
  return (
    <span class="bar-time" data-testid="elapsed" aria-label={t.value.counsel.elapsed}>
      {duration(session.together_ms.value)}
    </span>
  );
}

interface ToggleProps {
  id: string;
  on: boolean;
  label: string;
  icons: readonly ['mic', 'micOff'] | readonly ['cam', 'camOff'];
  failure: unknown;
  onToggle: (on: boolean) => void;
}

function Toggle({ id, on, label, icons, failure, onToggle }: ToggleProps) {
  const words = t.value.notice;
  const seen = useRef(failure);
  // What failed before the session began was told before it began.
  useEffect(() => {
    if (failure && failure !== seen.current) notify(id === 'btn-mic' ? words.micFailed : words.camFailed, 'alert');
    seen.current = failure;
  }, [failure]);
  return (
    <button type="button" class="round" data-testid={id} aria-label={label} aria-pressed={on} title={failure ? (id === 'btn-mic' ? words.micFailed : words.camFailed) : label} onClick={() => onToggle(!on)}>
      <Icon name={on ? icons[0] : icons[1]} />
    </button>
  );
}

/** The member says that he is done; then the expert may end it. */
function FinishButton({ session, onFinish, onEnd }: { session: Session; onFinish: () => void; onEnd: () => void }) {
  const words = t.value.counsel;
  const isExpert = session.entry.role === 'expert';
  const done = session.done.value;
  if (isExpert && !done) return null;
  if (!isExpert && done) {
    return (
      <p class="counsel-done" data-testid="finish-said">
        <Icon name="check" size={20} />
        <span>{words.finishSaid}</span>
      </p>
    );
  }
  return (
    <button type="button" class={isExpert ? 'button button-main counsel-finish' : 'button counsel-finish'} data-testid={isExpert ? 'btn-end' : 'btn-finish'} disabled={!session.hasMet.value} onClick={isExpert ? onEnd : onFinish}>
      <Icon name="check" size={20} />
      <span>{isExpert ? words.endIt : words.finish}</span>
    </button>
  );
}

function Settings({ session, onClose }: { session: Session; onClose: () => void }) {
  useDevices();
  return (
    <Dialog title={t.value.settings.title} testId="settings-dialog" onClose={onClose}>
      <div class="dialog-section">
        <DeviceSelect kind="microphones" value={devices.microphone.value} onChoose={(deviceId) => void session.preview.choose('audio', deviceId)} />
        <DeviceSelect kind="speakers" value={devices.speaker.value} onChoose={(deviceId) => (devices.speaker.value = deviceId)} />
        <DeviceSelect kind="cameras" value={devices.camera.value} onChoose={(deviceId) => void session.preview.choose('video', deviceId)} />
      </div>
      <div class="dialog-section">
        <LanguageChoice />
        <ThemeChoice />
      </div>
    </Dialog>
  );
}
