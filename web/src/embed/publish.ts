/** `<madang-publish>`: camera, microphone or screen over WHIP, from anybody's page. */

import type { MadangPublishElement } from '../../public/embed/publish';
import { canShareScreen, mediaFailure } from '../lib/media';
import { define, make, type Overlay, Player } from './base';
import type { Told } from './line';
import { type PublishWords, type Trouble, words } from './words-publish';

const STYLE = `
[part=bar]{display:flex;flex-wrap:wrap;gap:.5rem;padding:.7rem}
select{flex:0 1 11rem;min-width:0}
[part~=start]{margin-left:auto}
.stop{background:#a93626;color:#fff;font-weight:600}
[aria-pressed=true]{box-shadow:inset 0 0 0 2px var(--a)}
.mirror{transform:scaleX(-1)}
`;

type Kind = 'audio' | 'video';
/** The picture itself comes first: it is what a server gets that takes only one. */
const LAYERS: RTCRtpEncodingParameters[] = [
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 600_000 },
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 180_000 },
];
const KINDS = ['audio', 'video'] as const;

class Publish extends Player<PublishWords> implements MadangPublishElement {
  static readonly observedAttributes = ['lang'];
  readonly #buttons = {
    microphone: this.#button('microphone', () => void this.#toggle('audio')),
    camera: this.#button('camera', () => void this.#toggle('video')),
    screen: this.#button('screen', () => void this.#toggle('video', true)),
  };
  readonly #start = this.#button('start', () => void (this.#isOn ? this.stop() : this.start()));
  readonly #selects = { audio: this.#select('audio'), video: this.#select('video') };
  readonly #bar: HTMLElement;
  readonly #tracks: Record<Kind, MediaStreamTrack | null> = { audio: null, video: null };
  readonly #senders: Record<Kind, RTCRtpSender | null> = { audio: null, video: null };
  #isScreen = false;
  #trouble: Trouble | null = null;
  #turn = 0;

  constructor() {
    super('publish', words, STYLE);
    this.video.muted = true;
    this.#buttons.screen.hidden = !canShareScreen();
    this.#bar = make('div', { part: 'bar', role: 'group' }, ...Object.values(this.#buttons), this.#selects.video, this.#selects.audio, this.#start);
    this.shadowRoot?.append(this.#bar);
  }

  get simulcast(): boolean {
    return this.getAttribute('simulcast') !== 'off';
  }

  set simulcast(value: boolean) {
    this.setAttribute('simulcast', value ? 'on' : 'off');
  }

  get stream(): MediaStream {
    return new MediaStream([this.#tracks.video, this.#tracks.audio].filter((track) => track !== null));
  }

  get #isOn(): boolean {
    return this.line !== null && this.state !== 'refused' && this.state !== 'idle';
  }

  get #isOpen(): boolean {
    return this.#tracks.audio !== null || this.#tracks.video !== null;
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.speak();
  }

  async open(): Promise<void> {
    // A machine may have only one of the two.
    for (const kinds of [KINDS, ['video'], ['audio']] as Kind[][]) {
      if ((await this.#acquire(this.#wanted(kinds))) || this.#trouble !== 'missing') return;
    }
  }

  async share(): Promise<void> {
    await this.#acquire(null);
  }

  async start(): Promise<void> {
    if (!this.#isOpen) await this.open();
    if (!this.#isOpen || !this.isConnected) return;
    this.connect({
      prepare: (pc) => this.#send(pc),
      connected: () => this.line?.tell('live'),
    });
  }

  override stop(): void {
    super.stop();
    this.#senders.audio = this.#senders.video = null;
  }

  close(): void {
    this.#turn++;
    this.stop();
    for (const kind of KINDS) this.#take(kind, null);
    this.render();
  }

  protected appeared(): void {
    this.render();
  }

  protected left(): void {
    this.close();
  }

  protected retry(): void {
    void this.start();
  }

  protected override overlay(told: Told): Overlay | null {
    const { devices, states, open } = this.words;
    const again = (): void => void this.open();
    if (this.#trouble) return { said: devices[this.#trouble], action: ['', again] };
    if (told.state !== 'idle') return super.overlay(told);
    return this.#isOpen ? null : { said: states.idle, action: [open, again] };
  }

  protected override render(): void {
    super.render();
    const { words } = this;
    const { audio, video } = this.#tracks;
    const isOn = { microphone: audio, camera: video && !this.#isScreen, screen: video && this.#isScreen };
    for (const name of ['microphone', 'camera', 'screen'] as const) {
      this.#buttons[name].textContent = words[name];
      this.#buttons[name].ariaPressed = String(!!isOn[name]);
    }
    this.#start.textContent = this.#isOn ? words.stop : words.start;
    this.#start.className = this.#isOn ? 'stop' : 'main';
    this.video.ariaLabel = this.#bar.ariaLabel = words.preview;
    this.#selects.audio.ariaLabel = words.microphone;
    this.#selects.video.ariaLabel = words.camera;
  }

  #send(pc: RTCPeerConnection): void {
    const { stream } = this;
    for (const kind of KINDS) {
      const sendEncodings = kind === 'video' && this.simulcast ? LAYERS : [];
      // Also for what is off now: it may be turned on without a new description.
      this.#senders[kind] = pc.addTransceiver(this.#tracks[kind] ?? kind, { direction: 'sendonly', streams: [stream], sendEncodings }).sender;
    }
  }

  async #toggle(kind: Kind, screen = false): Promise<void> {
    if (this.#tracks[kind] && (kind === 'audio' || this.#isScreen === screen)) this.#take(kind, null);
    else await this.#acquire(screen ? null : this.#wanted([kind]));
    this.render();
  }

  #wanted(kinds: readonly Kind[]): MediaStreamConstraints {
    const of = (kind: Kind, more: MediaTrackConstraints): MediaTrackConstraints | false => {
      const { value } = this.#selects[kind];
      return kinds.includes(kind) && { ...more, deviceId: value ? { ideal: value } : undefined };
    };
    return { audio: of('audio', {}), video: of('video', { width: { ideal: 1280 }, height: { ideal: 720 } }) };
  }

  /** `null`: the screen. */
  async #acquire(constraints: MediaStreamConstraints | null): Promise<boolean> {
    const turn = ++this.#turn;
    try {
      const { mediaDevices } = navigator;
      const stream = await (constraints ? mediaDevices.getUserMedia(constraints) : mediaDevices.getDisplayMedia({ video: true }));
      // Somebody changed his mind while the browser asked.
      if (turn !== this.#turn || !this.isConnected) return stream.getTracks().forEach((track) => track.stop()), false;
      this.#trouble = null;
      for (const track of stream.getTracks()) this.#take(track.kind as Kind, track, constraints === null);
      await this.#list();
      return true;
    } catch (error) {
      // Who closes the choice of screens knows what happened.
      if (turn === this.#turn && constraints) this.#trouble = this.#cause(error, constraints);
      return false;
    } finally {
      this.render();
    }
  }

  #cause(error: unknown, { audio, video }: MediaStreamConstraints): Trouble {
    const cause = mediaFailure(error);
    const policy = (document as { featurePolicy?: { allowsFeature(feature: string): boolean } }).featurePolicy;
    if (cause === 'unsupported') return 'other';
    if (cause !== 'blocked' && cause !== 'blocked_system') return cause;
    return policy && ((video && !policy.allowsFeature('camera')) || (audio && !policy.allowsFeature('microphone'))) ? 'frame' : 'blocked';
  }

  #take(kind: Kind, track: MediaStreamTrack | null, isScreen = false): void {
    this.#tracks[kind]?.stop();
    this.#tracks[kind] = track;
    if (track) {
      // Unplugged, or the sharing ended in the browser's own bar.
      track.onended = () => {
        if (this.#tracks[kind] !== track) return;
        this.#take(kind, null);
        this.render();
      };
    }
    void this.#senders[kind]?.replaceTrack(track).catch(() => undefined);
    if (kind === 'audio') return;
    this.#isScreen = isScreen;
    if (track && isScreen) track.contentHint = 'detail';
    this.video.srcObject = track && new MediaStream([track]);
    this.video.classList.toggle('mirror', !isScreen && track?.getSettings().facingMode !== 'environment');
  }

  #button(part: string, onclick: () => void): HTMLButtonElement {
    return make('button', { part: `button ${part}`, onclick });
  }

  #select(kind: Kind): HTMLSelectElement {
    return make('select', { part: `select ${kind}`, hidden: true, onchange: () => void this.#acquire(this.#wanted([kind])) });
  }

  async #list(): Promise<void> {
    const all = await navigator.mediaDevices.enumerateDevices();
    for (const kind of KINDS) {
      const select = this.#selects[kind];
      const devices = all.filter((device) => device.kind === `${kind}input` && device.deviceId);
      const used = this.#tracks[kind]?.getSettings().deviceId ?? '';
      select.hidden = devices.length < 2;
      // While the screen is shared, the camera of before stays the chosen one.
      const chosen = devices.some(({ deviceId }) => deviceId === used) ? used : select.value;
      select.replaceChildren(...devices.map(({ deviceId, label }) => make('option', { value: deviceId }, label)));
      select.value = chosen;
    }
  }
}

define('madang-publish', Publish);
