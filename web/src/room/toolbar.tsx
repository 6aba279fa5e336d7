import { signal, useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import { duration } from '../lib/format';
import { canChooseSpeaker, canShareScreen, type Devices } from '../lib/media';
import { devices } from '../prefs';
import { deviceList, useDevices } from '../ui/devices';
import { Icon, type IconName } from '../ui/icons';
import { copyInvite } from './invite';
import type { Session } from './session';
import type { RoomState } from './state';

interface BarProps {
  session: Session;
  state: RoomState;
}

const WIDE = matchMedia('(min-width: 1040px)');
const wide = signal(WIDE.matches);
WIDE.addEventListener('change', () => {
  wide.value = WIDE.matches;
});

export function Toolbar({ session, state }: BarProps) {
  return (
    <section class="bar" aria-label={t.value.room.controls} data-testid="toolbar">
      <div class="bar-left">
        <RoomName session={session} />
      </div>
      <div class="bar-middle">
        <MicControl session={session} />
        <CameraControl session={session} />
        {wide.value && <ScreenButton session={session} />}
        {wide.value && <HandButton session={session} />}
        {wide.value && <LayoutButton state={state} />}
        {!wide.value && <ChatButton session={session} state={state} />}
        {!wide.value && <MoreMenu session={session} state={state} />}
        <button type="button" class="round round-leave" data-testid="btn-leave" aria-label={t.value.room.leave} title={t.value.room.leave} onClick={() => void session.leave()}>
          <Icon name="leave" />
        </button>
      </div>
      <div class="bar-right">
        {wide.value && (
          <>
            <ToolButton icon="link" label={t.value.room.invite} testId="btn-invite" onClick={() => void copyInvite(session)} />
            <PeopleButton session={session} state={state} />
            <ChatButton session={session} state={state} />
            <StatsButton state={state} />
            <ToolButton icon="keyboard" label={t.value.room.shortcuts} testId="btn-shortcuts" onClick={() => open(state, 'keys')} />
            <ToolButton icon="settings" label={t.value.room.settings} testId="btn-settings" onClick={() => open(state, 'settings')} />
          </>
        )}
      </div>
    </section>
  );
}

function open(state: RoomState, window: 'settings' | 'keys'): void {
  state.window.value = window;
}

function RoomName({ session }: { session: Session }) {
  const since = useSignal(Date.now());
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 1_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <p class="bar-name">
      <strong>{session.name}</strong>
      <span class="bar-time">{duration(now.value - since.value)}</span>
    </p>
  );
}

function MicControl({ session }: { session: Session }) {
  const words = t.value.room;
  const on = session.micOn.value;
  return (
    <div class="split">
      <button
        type="button"
        class="round"
        data-testid="btn-mic"
        aria-label={words.mic}
        aria-pressed={on}
        aria-busy={session.busy.value.has('mic')}
        title={`${words.mic} (M)`}
        disabled={!session.permitted.value.mic}
        onClick={() => void session.setMic(!on)}
      >
        <Icon name={on ? 'mic' : 'micOff'} />
      </button>
      {wide.value && (
        <DeviceMenu label={words.micDevices} testId="menu-mic">
          <DeviceRadios session={session} kind="microphones" />
          {canChooseSpeaker() && <DeviceRadios session={session} kind="speakers" />}
        </DeviceMenu>
      )}
    </div>
  );
}

function CameraControl({ session }: { session: Session }) {
  const words = t.value.room;
  const on = session.cameraOn.value;
  return (
    <div class="split">
      <button
        type="button"
        class="round"
        data-testid="btn-cam"
        aria-label={words.cam}
        aria-pressed={on}
        aria-busy={session.busy.value.has('camera')}
        title={`${words.cam} (V)`}
        disabled={!session.permitted.value.camera}
        onClick={() => void session.setCamera(!on)}
      >
        <Icon name={on ? 'cam' : 'camOff'} />
      </button>
      {wide.value && (
        <DeviceMenu label={words.camDevices} testId="menu-cam">
          <DeviceRadios session={session} kind="cameras" />
        </DeviceMenu>
      )}
    </div>
  );
}

function ScreenButton({ session }: { session: Session }) {
  const words = t.value.room;
  const on = session.me.value?.sharing ?? false;
  const possible = canShareScreen() && session.permitted.value.screen;
  return (
    <button
      type="button"
      class="round"
      data-testid="btn-screen"
      aria-label={words.screen}
      aria-pressed={on}
      title={canShareScreen() ? `${on ? words.screenStop : words.screen} (D)` : words.screenUnsupported}
      disabled={!possible}
      onClick={() => void session.setScreen(!on)}
    >
      <Icon name="screen" />
    </button>
  );
}

function HandButton({ session }: { session: Session }) {
  const words = t.value.room;
  const up = (session.me.value?.hand_ms ?? 0) > 0;
  return (
    <button type="button" class="round" data-testid="btn-hand" aria-label={words.hand} aria-pressed={up} title={`${up ? words.handDown : words.hand} (R)`} onClick={() => void session.setHand(!up)}>
      <Icon name="hand" />
    </button>
  );
}

function LayoutButton({ state }: { state: RoomState }) {
  const words = t.value.room;
  const speaker = state.layout.value === 'speaker';
  return (
    <button
      type="button"
      class="round"
      data-testid="btn-layout"
      aria-label={words.layout}
      aria-pressed={speaker}
      title={`${speaker ? words.layoutGrid : words.layoutSpeaker} (W)`}
      onClick={() => state.toggleLayout()}
    >
      <Icon name={speaker ? 'speaker' : 'grid'} />
    </button>
  );
}

function ChatButton({ session, state }: BarProps) {
  const words = t.value.room;
  const unread = session.conversation.unread.value;
  const label = unread > 0 ? words.chatUnread(unread) : words.chat;
  return (
    <button type="button" class="round round-quiet" data-testid="btn-chat" aria-label={label} aria-pressed={state.panel.value === 'chat'} title={`${words.chat} (C)`} onClick={() => state.togglePanel('chat')}>
      <Icon name="chat" />
      {unread > 0 && (
        <span class="badge" aria-hidden="true" data-testid="chat-unread">
          {unread > 99 ? '99+' : unread}
        </span>
      )}
    </button>
  );
}

function PeopleButton({ session, state }: BarProps) {
  const words = t.value.room;
  const count = session.people.value.length;
  return (
    <button
      type="button"
      class="round round-quiet"
      data-testid="btn-people"
      aria-label={words.peopleCount(count)}
      aria-pressed={state.panel.value === 'people'}
      title={`${words.people} (P)`}
      onClick={() => state.togglePanel('people')}
    >
      <Icon name="people" />
      <span class="badge badge-quiet" aria-hidden="true">
        {count}
      </span>
    </button>
  );
}

function StatsButton({ state }: { state: RoomState }) {
  return (
    <button
      type="button"
      class="round round-quiet"
      data-testid="btn-stats"
      aria-label={t.value.room.stats}
      aria-pressed={state.stats.value}
      title={`${t.value.room.stats} (T)`}
      onClick={() => {
        state.stats.value = !state.stats.value;
      }}
    >
      <Icon name="stats" />
    </button>
  );
}

function ToolButton({ icon, label, testId, onClick }: { icon: IconName; label: string; testId: string; onClick: () => void }) {
  return (
    <button type="button" class="round round-quiet" data-testid={testId} aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

/** A button with a sheet above it. Escape or a press elsewhere closes it. */
function Disclosure({ label, icon, testId, triggerClass, children }: { label: string; icon: IconName; testId: string; triggerClass: string; children: (close: () => void) => ComponentChildren }) {
  const shown = useSignal(false);
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const trigger = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    shown.value = false;
  };
  useEffect(() => {
    if (!shown.value) return;
    const elsewhere = (event: PointerEvent): void => {
      if (!root.current?.contains(event.target as Node)) close();
    };
    addEventListener('pointerdown', elsewhere);
    return () => removeEventListener('pointerdown', elsewhere);
  }, [shown.value]);
  return (
    <div
      class="disclosure"
      ref={root}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !shown.value) return;
        event.stopPropagation();
        close();
        trigger.current?.focus();
      }}
    >
      <button
        ref={trigger}
        type="button"
        class={triggerClass}
        data-testid={testId}
        aria-label={label}
        title={label}
        aria-expanded={shown.value}
        aria-controls={id}
        onClick={() => {
          shown.value = !shown.value;
        }}
      >
        <Icon name={icon} size={icon === 'up' ? 16 : 22} />
      </button>
      <div class="sheet" id={id} hidden={!shown.value}>
        {shown.value && children(close)}
      </div>
    </div>
  );
}

function DeviceMenu({ label, testId, children }: { label: string; testId: string; children: ComponentChildren }) {
  return (
    <Disclosure label={label} icon="up" testId={testId} triggerClass="split-more">
      {() => children}
    </Disclosure>
  );
}

const RADIO_KINDS: Record<keyof Devices, { kind: MediaDeviceKind; stored: keyof typeof devices }> = {
  microphones: { kind: 'audioinput', stored: 'microphone' },
  cameras: { kind: 'videoinput', stored: 'camera' },
  speakers: { kind: 'audiooutput', stored: 'speaker' },
};

function DeviceRadios({ session, kind }: { session: Session; kind: keyof Devices }) {
  useDevices();
  const words = t.value.prejoin;
  const label = { microphones: words.microphone, cameras: words.camera, speakers: words.speaker }[kind];
  const { kind: mediaKind, stored } = RADIO_KINDS[kind];
  const list = deviceList.value[kind].map((device) => ({ id: device.deviceId === 'default' ? '' : device.deviceId, label: device.label }));
  const choices = list.some((device) => device.id === '') ? list : [{ id: '', label: words.defaultDevice }, ...list];
  const now = devices[stored].value;
  const chosen = choices.some((device) => device.id === now) ? now : '';
  return (
    <fieldset class="sheet-group">
      <legend>{label}</legend>
      {choices.map((device, index) => (
        <label class="sheet-radio" key={device.id}>
          <input type="radio" name={`device-${kind}`} checked={chosen === device.id} onChange={() => void session.useDevice(mediaKind, device.id)} />
          <span>{device.label || `${label} ${index + 1}`}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** On narrow screens: everything that has no place in the bar. */
function MoreMenu({ session, state }: BarProps) {
  const words = t.value.room;
  const me = session.me.value;
  const hand = (me?.hand_ms ?? 0) > 0;
  const speaker = state.layout.value === 'speaker';
  useDevices();
  return (
    <Disclosure label={words.more} icon="more" testId="btn-more" triggerClass="round round-quiet">
      {(close) => {
        const item = (icon: IconName, label: string, testId: string, act: () => void, pressed?: boolean) => (
          <button
            type="button"
            class="sheet-item"
            data-testid={testId}
            aria-pressed={pressed}
            onClick={() => {
              close();
              act();
            }}
          >
            <Icon name={icon} size={20} />
            <span>{label}</span>
          </button>
        );
        return (
          <>
            {item('hand', words.hand, 'btn-hand', () => void session.setHand(!hand), hand)}
            {item(speaker ? 'speaker' : 'grid', words.layout, 'btn-layout', () => state.toggleLayout(), speaker)}
            {speaker && item('film', words.filmstrip, 'btn-filmstrip', () => (state.filmstrip.value = !state.filmstrip.value), state.filmstrip.value)}
            {item('people', words.peopleCount(session.people.value.length), 'btn-people', () => state.togglePanel('people'), state.panel.value === 'people')}
            {item('link', words.invite, 'btn-invite', () => void copyInvite(session))}
            {canShareScreen() && session.permitted.value.screen && item('screen', words.screen, 'btn-screen', () => void session.setScreen(!me?.sharing), me?.sharing ?? false)}
            {me?.camera && deviceList.value.cameras.length > 1 && item('flip', words.flip, 'btn-flip', () => void session.flipCamera())}
            {item('stats', words.stats, 'btn-stats', () => (state.stats.value = !state.stats.value), state.stats.value)}
            {item('settings', words.settings, 'btn-settings', () => open(state, 'settings'))}
            {item('keyboard', words.shortcuts, 'btn-shortcuts', () => open(state, 'keys'))}
          </>
        );
      }}
    </Disclosure>
  );
}
