/** `<madang-watch>`: a broadcast over WHEP, on anybody's page. */

import type { MadangWatchElement } from '../../public/embed/watch';
import { define, make, Player } from './base';
import { Flow } from './flow';
import { choose, type Layer, layersOf, listen } from './notices';
import type { Resource } from './resource';
import { type WatchWords, words } from './words-watch';

const STYLE = `
select{position:absolute;top:.5rem;right:.5rem}
.sound{position:absolute;left:50%;bottom:1rem;transform:translateX(-50%);white-space:nowrap}
:host([controls]) .sound{bottom:4.5rem}
`;

class Watch extends Player<WatchWords> implements MadangWatchElement {
  static readonly observedAttributes = ['src', 'token', 'poster', 'controls', 'muted', 'layer', 'lang'];
  readonly #sound: HTMLButtonElement;
  readonly #quality: HTMLSelectElement;
  #layers: Layer[] = [];
  #resource: Resource | null = null;
  #stream: MediaStream | null = null;
  #isQueued = false;
  #flow: Flow | null = null;

  constructor() {
    super('watch', words, STYLE);
    this.#sound = make('button', { class: 'main sound', part: 'button unmute', hidden: true, onclick: () => this.#hear() });
    this.#quality = make('select', { part: 'quality', hidden: true, onchange: () => (this.layer = this.#quality.value) });
    this.frame.append(this.#sound, this.#quality);
    this.video.onvolumechange = () => this.#offerSound();
  }

  get poster(): string {
    return this.getAttribute('poster') ?? '';
  }

  set poster(value: string) {
    this.setAttribute('poster', value);
  }

  get controls(): boolean {
    return this.hasAttribute('controls');
  }

  set controls(value: boolean) {
    this.toggleAttribute('controls', value);
  }

  get muted(): boolean {
    return this.video.muted;
  }

  set muted(value: boolean) {
    this.video.muted = value;
  }

  get layer(): string {
    return this.getAttribute('layer') ?? '';
  }

  set layer(value: string) {
    this.setAttribute('layer', value);
  }

  get layers(): readonly Layer[] {
    return this.#layers;
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    if (name === 'poster') this.video.poster = this.poster;
    else if (name === 'controls') this.video.controls = this.controls;
    else if (name === 'muted') this.video.muted = now !== null;
    else if (!this.isConnected) return;
    else if (name === 'lang') this.speak();
    else if (name === 'layer') this.#choose();
    else if (!this.#isQueued) {
      // Both may be set one after the other.
      this.#isQueued = true;
      queueMicrotask(() => {
        this.#isQueued = false;
        if (this.isConnected) this.start();
      });
    }
  }

  start(): void {
    this.#flow = null;
    let wasLive = false;
    this.connect({
      prepare: (pc) => {
        const tracks = ['video', 'audio'].map((kind) => pc.addTransceiver(kind, { direction: 'recvonly' }).receiver.track);
        this.#stream = new MediaStream(tracks);
        for (const track of tracks) track.onunmute = () => void this.#play();
      },
      opened: (pc, resource, signal) => {
        this.#resource = resource;
        this.#flow = new Flow(pc, signal, wasLive, (state) => {
          wasLive ||= state === 'live';
          if (state === 'live') void this.#play();
          this.line?.tell(state);
        });
        if (this.layer) this.#choose();
        listen(resource.links, resource.token, signal, (event, data) => this.#heard(event, data)).catch(() => undefined);
      },
      connected: () => this.#flow?.connected(),
    });
  }

  protected appeared(): void {
    if (!this.line && !this.#isQueued) this.start();
  }

  protected left(): void {
    this.video.srcObject = this.#stream = null;
    this.#resource = null;
    this.#show([]);
  }

  protected retry(): void {
    this.start();
  }

  protected override render(): void {
    super.render();
    this.video.setAttribute('aria-label', this.words.picture);
    this.#sound.textContent = this.words.sound;
    this.#quality.setAttribute('aria-label', this.words.quality);
    this.#offerSound();
    this.#show(this.state === 'live' ? this.#layers : []);
  }

  /**
   * Not before something arrives: a page counts as loading while a player in it waits.
   * With sound if the browser lets us, else without until somebody presses.
   */
  async #play(): Promise<void> {
    if (this.video.srcObject === this.#stream) return;
    this.video.srcObject = this.#stream;
    try {
      await this.video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || this.video.muted) return;
      this.video.muted = true;
      await this.video.play().catch(() => undefined);
    }
    this.#offerSound();
  }

  #hear(): void {
    this.video.muted = false;
    void this.video.play().catch(() => undefined);
    this.video.focus();
  }

  #offerSound(): void {
    this.#sound.hidden = !this.video.muted || this.state !== 'live';
  }

  #heard(event: string, data: string): void {
    if (event === 'active' || event === 'inactive') this.#flow?.notice(event === 'active');
    else if (event === 'layers') {
      this.#layers = layersOf(data);
      this.#show(this.#layers);
      this.dispatchEvent(new CustomEvent('madang-layers', { detail: this.#layers }));
    }
  }

  #choose(): void {
    if (this.#resource) choose(this.#resource.links, this.#resource.token, this.#layers[0]?.mediaId, this.layer);
  }

  #show(layers: readonly Layer[]): void {
    this.#quality.hidden = !this.controls || layers.length < 2;
    const [high = '', middle = '', low = ''] = this.words.qualities;
    const names = layers.length === 2 ? [high, low] : [high, middle, low];
    const options = layers.map(({ encodingId, height }, at) => make('option', { value: encodingId }, height ? `${height}p` : (names[at] ?? encodingId)));
    this.#quality.replaceChildren(make('option', { value: '' }, this.words.best), ...options);
    this.#quality.value = this.layer;
  }
}

define('madang-watch', Watch);
