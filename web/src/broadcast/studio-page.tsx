/** The studio: what is broadcast, and how it goes. */
import '../styles/broadcast.css';
import { useSignal } from '@preact/signals';
import { useEffect, useId, useMemo, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { bitrate, duration, percent } from '../lib/format';
import { watchPath } from '../lib/invite';
import { canShareScreen } from '../lib/media';
import type { StatsSample } from '../lib/stats';
import { devices, mirrorOn } from '../prefs';
import { route } from '../route';
import { Help } from '../screens/help';
import { Preview } from '../screens/preview';
import { useAwake } from '../ui/awake';
import { Page as Chrome } from '../ui/chrome';
import { LinkField } from '../ui/copy';
import { DeviceSelect, useDevices } from '../ui/devices';
import { Icon } from '../ui/icons';
import { announce, notify } from '../ui/notices';
import { EmbedDialog } from './embed';
import { CEILINGS_BPS, Studio } from './studio';

export function Page() {
  const words = t.value.studio;
  const at = route.value;
  const { room, token } = 'invitation' in at ? at.invitation : { room: '', token: null };
  const studio = useMemo(() => new Studio(room, token, new Preview()), []);
  useDevices();
  useEffect(() => {
    void studio.preview.start();
    const leaving = (): void => studio.close();
    addEventListener('pagehide', leaving);
    return () => {
      removeEventListener('pagehide', leaving);
      studio.close();
    };
  }, []);
  useLeaveGuard(studio);
  useAwake(studio.isOn);
  return (
    <Chrome>
      <div class="studio" data-testid="studio" data-state={studio.state.value}>
        <header class="studio-head">
          <p class="eyebrow">
            {t.value.prejoin.room} <strong>{room}</strong>
          </p>
          <h1>{words.title}</h1>
        </header>
        <div class="studio-see">
          <Stage studio={studio} />
          <Notes studio={studio} />
          <Figures studio={studio} />
        </div>
        <div class="studio-say">
          <StartButton studio={studio} />
          {token === null && <LinkField label={words.watchLink} link={location.origin + watchPath(room)} testId="watch" hint={words.watchLinkHint} />}
          <Choices studio={studio} />
          <Embed room={room} />
        </div>
      </div>
    </Chrome>
  );
}

function Stage({ studio }: { studio: Studio }) {
  const words = t.value;
  const video = useRef<HTMLVideoElement>(null);
  const { preview } = studio;
  const track = studio.picture.value;
  const isScreen = studio.screen.value !== null;
  useEffect(() => {
    if (video.current) video.current.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  const mirrored = !isScreen && mirrorOn.value && preview.facing.value === 'user';
  const micOn = studio.micOn.value && preview.audio.value !== null;
  const share = (): void => {
    if (isScreen) return studio.unshareScreen();
    void studio.shareScreen();
  };
  return (
    <div class="preview studio-preview">
      <video ref={video} class={[mirrored ? 'mirrored' : '', isScreen ? 'studio-screen' : ''].join(' ')} data-testid="studio-video" autoplay playsInline muted hidden={!track} aria-label={words.prejoin.preview} />
      {!track && <p class="preview-off">{preview.starting.value ? words.prejoin.starting : words.prejoin.cameraOff}</p>}
      <OnAir studio={studio} />
      <div class="preview-controls">
        <button type="button" class="round" data-testid="btn-mic" aria-label={words.room.mic} aria-pressed={micOn} disabled={preview.starting.value} onClick={() => void studio.setMic(!micOn)}>
          <Icon name={micOn ? 'mic' : 'micOff'} />
        </button>
        <button type="button" class="round" data-testid="btn-cam" aria-label={words.room.cam} aria-pressed={preview.video.value !== null} disabled={preview.starting.value} onClick={() => void preview.set('video', preview.video.value === null)}>
          <Icon name={preview.video.value ? 'cam' : 'camOff'} />
        </button>
        {canShareScreen() && (
          <button type="button" class={isScreen ? 'round round-accent' : 'round'} data-testid="btn-screen" aria-label={isScreen ? words.room.screenStop : words.room.screen} title={isScreen ? words.room.screenStop : words.room.screen} onClick={share}>
            <Icon name="screen" />
          </button>
        )}
      </div>
    </div>
  );
}

function OnAir({ studio }: { studio: Studio }) {
  const words = t.value.broadcast;
  if (!studio.isOn) return null;
  const state = studio.state.value;
  return (
    <div class="on-air">
      <span class={`air air-${state}`} data-testid="studio-air">
        {state === 'live' ? words.live : state === 'broken' ? words.mending : words.starting}
      </span>
      <span class="air air-quiet" data-testid="studio-time">
        {duration(studio.live_ms.value)}
      </span>
      <span class="air air-quiet" data-testid="studio-viewers" aria-label={words.viewers(studio.viewers.value)} title={words.viewers(studio.viewers.value)}>
        <Icon name="eye" size={18} />
        {studio.viewers.value}
      </span>
    </div>
  );
}

/** What has to be said: who refused, what broke, how long it was. */
function Notes({ studio }: { studio: Studio }) {
  const words = t.value.studio;
  const refusal = studio.refusal.value;
  const lasted = studio.lasted_ms.value;
  const isBroken = studio.state.value === 'broken';
  useEffect(() => {
    if (isBroken) announce(words.broken);
  }, [isBroken]);
  const { title, text } = refusal ? t.value.broadcast.refused[refusal.why] : { title: '', text: '' };
  return (
    <>
      {refusal && (
        <div class="help studio-note" role="alert" data-testid="studio-refused" data-why={refusal.why}>
          <div>
            <h2>
              <Icon name="alert" size={20} />
              {title}
            </h2>
            <p>{refusal.why === 'other' && refusal.sentence ? `${text} (${refusal.sentence})` : text}</p>
          </div>
        </div>
      )}
      {isBroken && (
        <p class="banner banner-trouble studio-banner" data-testid="studio-broken">
          <span class="spinner" aria-hidden="true" />
          <span>{words.broken}</span>
        </p>
      )}
      {lasted !== null && !studio.isOn && !refusal && (
        <p class="studio-lasted" data-testid="studio-lasted">
          <Icon name="check" size={20} />
          <span>{words.lasted(duration(lasted))}</span>
        </p>
      )}
      <Help preview={studio.preview} />
    </>
  );
}

function StartButton({ studio }: { studio: Studio }) {
  const words = t.value.studio;
  const { preview } = studio;
  const start = (): void => {
    if (!studio.picture.value && !preview.audio.value) notify(words.nothingToSend, 'alert');
    else studio.start();
  };
  if (!studio.isOn) {
    return (
      <button type="button" class="button button-main button-wide studio-start" data-testid="studio-start" disabled={preview.starting.value} onClick={start}>
        <Icon name="broadcast" size={22} />
        {words.start}
      </button>
    );
  }
  return (
    <button type="button" class="button button-wide studio-start studio-stop" data-testid="studio-stop" onClick={() => studio.stop()}>
      <Icon name="stop" size={22} />
      {studio.state.value === 'starting' ? words.cancel : words.stop}
    </button>
  );
}

function Embed({ room }: { room: string }) {
  const isOpen = useSignal(false);
  const show = (open: boolean) => (): void => {
    isOpen.value = open;
  };
  return (
    <div class="field">
      <button type="button" class="button" data-testid="studio-embed" aria-haspopup="dialog" onClick={show(true)}>
        <Icon name="code" size={20} />
        {t.value.embed.open}
      </button>
      {isOpen.value && <EmbedDialog room={room} onClose={show(false)} />}
    </div>
  );
}

function Choices({ studio }: { studio: Studio }) {
  const words = t.value.studio;
  const id = useId();
  const { preview } = studio;
  return (
    <>
      <DeviceSelect kind="cameras" value={devices.camera.value} onChoose={(deviceId) => void preview.choose('video', deviceId)} />
      <DeviceSelect kind="microphones" value={devices.microphone.value} onChoose={(deviceId) => void preview.choose('audio', deviceId)} />
      <div class="field">
        <label for={id}>{words.ceiling}</label>
        <select
          id={id}
          class="select"
          data-testid="studio-ceiling"
          value={String(studio.ceiling_bps.value)}
          onChange={(event) => {
            studio.ceiling_bps.value = Number(event.currentTarget.value);
          }}
        >
          {CEILINGS_BPS.map((bps) => (
            <option key={bps} value={String(bps)}>
              {bps === 0 ? words.ceilingAuto : bitrate(bps)}
            </option>
          ))}
        </select>
      </div>
    </>
  );
}

function Figures({ studio }: { studio: Studio }) {
  const words = t.value;
  if (!studio.isOn) return null;
  const sample = studio.pulse.sample.value;
  const video = sample?.rows.find(({ direction, kind }) => direction === 'out' && kind === 'video');
  const facts: ReadonlyArray<readonly [string, string]> = [
    [words.stats.size, video && video.width > 0 ? `${video.width} × ${video.height}` : '–'],
    [words.stats.fps, video ? String(video.fps) : '–'],
    [words.stats.codec, video?.codec || '–'],
    [words.stats.rtt, roundTrip(sample)],
    [words.stats.loss, percent(video?.loss ?? 0)],
  ];
  const limited = video?.limited === 'cpu' ? words.stats.limitedcpu : video?.limited === 'bandwidth' ? words.stats.limitedbandwidth : '';
  return (
    <section class="studio-figures card" aria-label={words.stats.title}>
      <div class="studio-rate">
        <p class="hint">{words.stats.rate}</p>
        <p class="studio-rate-now" data-testid="studio-bitrate" data-bps={sample?.sent_bps ?? 0}>
          {bitrate(sample?.sent_bps ?? 0)}
        </p>
        <p class="hint studio-limited">{limited}</p>
      </div>
      <Curve values={studio.history.value} ceiling={studio.ceiling_bps.value} />
      <dl class="studio-facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function roundTrip(sample: StatsSample | null): string {
  if (!sample || sample.sent_bps === 0) return '–';
  return sample.rtt_ms > 0 ? `${sample.rtt_ms} ms` : '< 1 ms';
}

const CURVE = { width: 240, height: 56, seconds: 60 };

/** The last minute. What it says stands beside it as a number. */
function Curve({ values, ceiling }: { values: readonly number[]; ceiling: number }) {
  const top = Math.max(100_000, ceiling, ...values) * 1.1;
  const x = (index: number): number => CURVE.width - ((values.length - 1 - index) * CURVE.width) / (CURVE.seconds - 1);
  const y = (value: number): number => CURVE.height - (value / top) * CURVE.height;
  const points = values.map((value, index) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
  return (
    <svg class="curve" viewBox={`0 0 ${CURVE.width} ${CURVE.height}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      {ceiling > 0 && <path class="curve-ceiling" d={`M0 ${y(ceiling)}H${CURVE.width}`} />}
      {points.length > 1 && <path class="curve-area" d={`M${points.join('L')}L${CURVE.width} ${CURVE.height}L${x(0)} ${CURVE.height}Z`} />}
      {points.length > 1 && <path class="curve-line" d={`M${points.join('L')}`} />}
    </svg>
  );
}

/** Nobody ends a broadcast by a slip of the finger. */
function useLeaveGuard(studio: Studio): void {
  useEffect(() => {
    const guard = (event: BeforeUnloadEvent): void => {
      if (studio.isOn) event.preventDefault();
    };
    addEventListener('beforeunload', guard);
    return () => removeEventListener('beforeunload', guard);
  }, []);
}
