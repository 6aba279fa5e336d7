import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { meterShare } from '../lib/mic';
import { devices, mirrorOn, name, NAME_LENGTH_MAX } from '../prefs';
import { Page } from '../ui/chrome';
import { deviceList, DeviceSelect, useDevices } from '../ui/devices';
import { Icon } from '../ui/icons';
import { Help } from './help';
import type { Preview } from './preview';
import { playTestTone } from './tone';

interface PrejoinProps {
  room: string;
  preview: Preview;
  /** Set when the invitation fixes the name. */
  fixedName: string;
  busy: boolean;
  onJoin: () => void;
  /** Of another page than the room's: where this leads, and as whom. */
  eyebrow?: string;
  title?: string;
}

export function Prejoin({ room, preview, fixedName, busy, onJoin, eyebrow, title }: PrejoinProps) {
  const words = t.value.prejoin;
  useDevices();
  return (
    <Page>
      <div class="prejoin" data-testid="prejoin">
        <div class="prejoin-see">
          <PreviewPicture preview={preview} />
          <Help preview={preview} />
        </div>
        <div class="prejoin-say">
          <p class="eyebrow">
            {eyebrow ?? words.room} <strong data-testid="prejoin-room">{room}</strong>
          </p>
          <h1>{title ?? words.title}</h1>
          <JoinForm preview={preview} fixedName={fixedName} busy={busy} onJoin={onJoin} />
        </div>
      </div>
    </Page>
  );
}

function PreviewPicture({ preview }: { preview: Preview }) {
  const words = t.value;
  const video = useRef<HTMLVideoElement>(null);
  const track = preview.video.value;
  useEffect(() => {
    if (video.current) video.current.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  const mirrored = mirrorOn.value && preview.facing.value === 'user';
  const flippable = deviceList.value.cameras.length > 1 && matchMedia('(pointer: coarse)').matches;
  return (
    <div class="preview" data-testid="prejoin-preview">
      <video ref={video} class={mirrored ? 'mirrored' : ''} autoplay playsInline muted hidden={!track} aria-label={words.prejoin.preview} />
      {!track && <p class="preview-off">{preview.starting.value ? words.prejoin.starting : words.prejoin.cameraOff}</p>}
      <div class="preview-controls">
        <button
          type="button"
          class="round"
          data-testid="prejoin-mic"
          aria-label={words.room.mic}
          aria-pressed={preview.audio.value !== null}
          disabled={preview.starting.value}
          onClick={() => void preview.set('audio', preview.audio.value === null)}
        >
          <Icon name={preview.audio.value ? 'mic' : 'micOff'} />
        </button>
        <button
          type="button"
          class="round"
          data-testid="prejoin-cam"
          aria-label={words.room.cam}
          aria-pressed={track !== null}
          disabled={preview.starting.value}
          onClick={() => void preview.set('video', track === null)}
        >
          <Icon name={track ? 'cam' : 'camOff'} />
        </button>
        {flippable && (
          <button type="button" class="round" aria-label={words.prejoin.flip} onClick={() => void preview.flip()}>
            <Icon name="flip" />
          </button>
        )}
      </div>
    </div>
  );
}

function JoinForm({ preview, fixedName, busy, onJoin }: Pick<PrejoinProps, 'preview' | 'fixedName' | 'busy' | 'onJoin'>) {
  const words = t.value.prejoin;
  const id = useId();
  const wrong = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!fixedName && name.value === '') field.current?.focus();
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    wrong.value = !fixedName && name.value.trim() === '';
    if (wrong.value) field.current?.focus();
    else onJoin();
  };
  const without = !preview.starting.value && (preview.failures.audio.value !== null || preview.failures.video.value !== null) && !preview.audio.value && !preview.video.value;
  return (
    <form class="prejoin-form" onSubmit={submit} noValidate>
      <div class="field">
        <label for={`${id}-name`}>{t.value.home.yourName}</label>
        <input
          ref={field}
          id={`${id}-name`}
          class="input"
          data-testid="prejoin-name"
          autocomplete="name"
          maxLength={NAME_LENGTH_MAX}
          placeholder={t.value.home.namePlaceholder}
          readOnly={fixedName !== ''}
          aria-invalid={wrong.value}
          aria-describedby={wrong.value ? `${id}-wrong` : undefined}
          value={fixedName || name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
            wrong.value = false;
          }}
        />
        {wrong.value && (
          <p class="wrong" id={`${id}-wrong`} role="alert">
            {words.nameMissing}
          </p>
        )}
      </div>
      <DeviceSelect kind="microphones" value={devices.microphone.value} onChoose={(deviceId) => void preview.choose('audio', deviceId)} />
      <LevelMeter preview={preview} />
      <DeviceSelect kind="cameras" value={devices.camera.value} onChoose={(deviceId) => void preview.choose('video', deviceId)} />
      <div class="field-with-tool">
        <DeviceSelect
          kind="speakers"
          value={devices.speaker.value}
          onChoose={(deviceId) => {
            devices.speaker.value = deviceId;
          }}
        />
        <button type="button" class="tool" onClick={() => void playTestTone(devices.speaker.value)}>
          <Icon name="volume" size={18} />
          <span>{words.testSpeaker}</span>
        </button>
      </div>
      <button type="submit" class="button button-main button-wide" data-testid="prejoin-join" aria-busy={busy} disabled={busy}>
        {busy ? words.joining : without ? words.joinWithout : words.join}
      </button>
    </form>
  );
}

export function LevelMeter({ preview }: { preview: Preview }) {
  const share = meterShare(preview.level.value);
  return (
    <div class="meter" role="meter" aria-label={t.value.prejoin.level} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} data-testid="prejoin-level">
      {Array.from({ length: 16 }, (_, index) => (
        <span key={index} class={share * 16 > index ? 'meter-bar meter-on' : 'meter-bar'} />
      ))}
    </div>
  );
}
