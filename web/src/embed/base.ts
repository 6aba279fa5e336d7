/** What both elements share: a frame with a picture, and what is said over it. */

import { Line, type State, type Told, type Wish } from './line';
import { absolute } from './links';
import { STYLE } from './style';
import { languageOf, type Said, type Words } from './words';

export interface Overlay {
  said: Said;
  /** An empty word: try again. */
  action?: readonly [word: string, work: () => void];
}

type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

export abstract class Player<Own extends Words> extends HTMLElement {
  readonly video: HTMLVideoElement;
  protected readonly frame: HTMLElement;
  protected line: Line | null = null;
  protected words: Own;
  readonly #status: HTMLElement;
  readonly #badge: HTMLElement;
  readonly #spoken: HTMLElement;
  #told: Told = { state: 'idle', reason: '', sentence: '' };

  constructor(
    private readonly kind: Wish['kind'],
    private readonly languages: { en: Own; ko: Own },
    style: string,
  ) {
    super();
    this.words = languages.en;
    const root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE + style);
    root.adoptedStyleSheets = [sheet];
    this.video = make('video', { part: 'video', playsInline: true, autoplay: true });
    this.#badge = make('span', { part: 'badge', hidden: true });
    this.#status = make('div', { part: 'status' });
    this.#spoken = make('span', { role: 'status' });
    this.frame = make('div', { part: 'frame' }, this.video, this.#badge, this.#status, this.#spoken);
    root.append(this.frame);
  }

  get state(): State {
    return this.#told.state;
  }

  get src(): string {
    return this.getAttribute('src') ?? '';
  }

  set src(value: string) {
    this.setAttribute('src', value);
  }

  get token(): string {
    return this.getAttribute('token') ?? '';
  }

  set token(value: string) {
    this.setAttribute('token', value);
  }

  connectedCallback(): void {
    this.speak();
    addEventListener('online', this.#network);
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#back);
    this.appeared();
  }

  disconnectedCallback(): void {
    // One that is moved is back at once.
    queueMicrotask(() => {
      if (this.isConnected) return;
      removeEventListener('online', this.#network);
      removeEventListener('pagehide', this.#leave);
      removeEventListener('pageshow', this.#back);
      this.#leave();
    });
  }

  stop(): void {
    this.line?.stop();
    this.line = null;
  }

  protected abstract appeared(): void;
  protected abstract left(): void;

  /** In the language that holds where it stands. */
  protected speak(): void {
    const language = languageOf(this.closest('[lang]')?.getAttribute('lang') || navigator.language);
    this.words = this.languages[language];
    this.frame.lang = language;
    this.render();
  }

  protected connect(wish: Omit<Wish, 'kind' | 'endpoint' | 'token' | 'told'>): void {
    this.stop();
    const endpoint = absolute(this.src, document.baseURI) ?? '';
    const reason = !this.src || !/^https?:/.test(endpoint) ? 'no_src' : 'RTCPeerConnection' in window ? '' : 'unsupported';
    if (reason) return this.tell({ state: 'refused', reason, sentence: '' });
    this.line = new Line({ ...wish, kind: this.kind, endpoint, token: this.token, told: (told) => this.tell(told) });
    this.line.start();
  }

  protected tell(told: Told): void {
    this.#told = told;
    this.setAttribute('state', told.state);
    this.render();
    this.dispatchEvent(new CustomEvent('madang-state', { detail: { ...told }, bubbles: true, composed: true }));
  }

  protected render(): void {
    const told = this.#told;
    const { again, live } = this.words;
    this.#badge.hidden = told.state !== 'live';
    this.#badge.textContent = live;
    const overlay = this.overlay(told);
    const { said, action } = overlay ?? { said: [told.state === 'live' ? live : ''] as const };
    const [title, detail = ''] = said;
    const text = told.reason === 'other' && told.sentence ? `${detail} (${told.sentence})` : detail;
    const isBusy = told.state === 'connecting' || told.state === 'reconnecting';
    const parts = [isBusy && make('span', { part: 'spinner' }), make('p', { part: 'title' }, title), text && make('p', { part: 'detail' }, text)];
    if (action) parts.push(make('button', { class: 'main', part: 'button retry', onclick: action[1] }, action[0] || again));
    this.#status.hidden = !overlay;
    this.#status.replaceChildren(...parts.filter((part) => part instanceof Node));
    const spoken = `${title} ${text}`;
    if (this.#spoken.textContent !== spoken) this.#spoken.textContent = spoken;
  }

  /** What lies over the picture; `null`: nothing. */
  protected overlay({ state, reason }: Told): Overlay | null {
    const { states, refused } = this.words;
    if (state === 'refused') return { said: refused[reason || 'other'] ?? refused.other, action: ['', () => this.retry()] };
    return state === 'live' ? null : { said: states[state] ?? states.idle };
  }

  protected abstract retry(): void;

  readonly #leave = (): void => {
    this.stop();
    this.left();
  };

  /** A page that was kept while somebody was elsewhere. */
  readonly #back = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) this.appeared();
  };

  readonly #network = (): void => this.line?.networkChanged();
}

export function make<Name extends keyof HTMLElementTagNameMap>(name: Name, attributes: Attributes = {}, ...children: Array<Node | string>): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'string') element.setAttribute(key, value);
    else element[key as never] = value as never;
  }
  element.append(...children);
  return element;
}

export function define(name: string, element: CustomElementConstructor): void {
  // Two copies of the script are one too many, and no harm.
  if (!customElements.get(name)) customElements.define(name, element);
}
