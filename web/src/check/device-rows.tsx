/** Camera, microphone and speaker: asked for by a press, shown while they are open. */

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { devices as chosen, mirrorOn } from '../prefs';
import { Help } from '../screens/help';
import { LevelMeter } from '../screens/prejoin';
import { playTestTone } from '../screens/tone';
import { DeviceSelect, useDevices } from '../ui/devices';
import { Icon } from '../ui/icons';
import type { Devices } from './devices';
import { judge } from './judge';
import { Row } from './rows';
import type { Run } from './run';
import { checkWords } from './words';

export function DeviceRows({ run, devices }: { run: Run; devices: Devices }) {
  const words = checkWords();
  useDevices();
  const { preview } = devices;
  const findings = judge(run.seen.value);
  const isHelped = !preview.starting.value && (preview.failures.audio.value ?? preview.failures.video.value) !== null;
  const of = (id: 'camera' | 'microphone' | 'speaker') => ({ id, run, isBrief: isHelped && id !== 'speaker', finding: findings.find((finding) => finding.id === id) });
  const { camera, microphone } = run.seen.value.devices;
  const isIdle = camera.state === 'idle' && microphone.state === 'idle';
  return (
    <section class="check-section card">
      <h2>{words.sections.devices}</h2>
      <ul>
        <Row {...of('camera')}>{preview.video.value && <Picture devices={devices} track={preview.video.value} />}</Row>
        <Row {...of('microphone')}>
          {preview.audio.value && (
            <>
              <LevelMeter preview={preview} />
              <DeviceSelect kind="microphones" value={chosen.microphone.value} onChoose={(deviceId) => void preview.choose('audio', deviceId)} />
            </>
          )}
        </Row>
        <Row {...of('speaker')}>
          <Speaker devices={devices} />
        </Row>
      </ul>
      {isIdle && (
        <div class="check-ask">
          <button type="button" class="button button-main button-wide" data-testid="check-devices" onClick={() => void devices.start()}>
            {words.devices.start}
          </button>
          <p class="hint">{words.devices.hint}</p>
        </div>
      )}
      <Help preview={preview} again={() => void devices.start()} />
    </section>
  );
}

function Picture({ devices, track }: { devices: Devices; track: MediaStreamTrack }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = new MediaStream([track]);
  }, [track]);
  return (
    <>
      <div class="preview check-preview">
        <video
          ref={video}
          class={mirrorOn.value ? 'mirrored' : ''}
          autoplay
          playsInline
          muted
          aria-label={t.value.prejoin.preview}
          data-testid="check-preview"
          onLoadedData={({ currentTarget }) => devices.shows(currentTarget.videoWidth, currentTarget.videoHeight)}
        />
      </div>
      <DeviceSelect kind="cameras" value={chosen.camera.value} onChoose={(deviceId) => void devices.preview.choose('video', deviceId)} />
    </>
  );
}

function Speaker({ devices }: { devices: Devices }) {
  const words = checkWords().devices;
  const isAsked = useSignal(false);
  const play = async (): Promise<void> => {
    await playTestTone(chosen.speaker.value);
    isAsked.value = true;
  };
  const answer = (heard: boolean): void => {
    isAsked.value = false;
    devices.heardTone(heard);
  };
  return (
    <>
      {devices.preview.audio.value && (
        <DeviceSelect
          kind="speakers"
          value={chosen.speaker.value}
          onChoose={(deviceId) => {
            chosen.speaker.value = deviceId;
          }}
        />
      )}
      <div class="check-answer">
        <button type="button" class="button button-small" data-testid="check-tone" onClick={() => void play()}>
          <Icon name="volume" size={18} />
          {words.tone}
        </button>
        {isAsked.value && (
          <>
            <span role="status">{words.question}</span>
            <button type="button" class="button button-small" data-testid="check-heard" onClick={() => answer(true)}>
              {words.heard}
            </button>
            <button type="button" class="button button-small" data-testid="check-unheard" onClick={() => answer(false)}>
              {words.unheard}
            </button>
          </>
        )}
      </div>
    </>
  );
}
