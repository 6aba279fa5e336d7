/** `<madang-watch src="https://host/whep/room">`: a broadcast over WHEP. See docs/embed.md. */

export type MadangState = 'idle' | 'connecting' | 'waiting' | 'live' | 'reconnecting' | 'ended' | 'refused';

export interface MadangStateDetail {
  state: MadangState;
  /** Of `refused`: `no_src`, `token`, `not_allowed`, `busy`, `missing`, `mesh`, `unsupported`, `other`; else empty. */
  reason: string;
  /** The server's own words, or empty. */
  sentence: string;
}

export interface MadangLayer {
  mediaId: string;
  encodingId: string;
  /** Larger is better. */
  index: number;
  /** 0: the server does not know. */
  width: number;
  height: number;
}

export interface MadangWatchElement extends HTMLElement {
  src: string;
  token: string;
  poster: string;
  controls: boolean;
  muted: boolean;
  /** An `encodingId` of `layers`, or empty: the server chooses. */
  layer: string;
  readonly state: MadangState;
  readonly layers: readonly MadangLayer[];
  /** The picture itself, for picture in picture, full screen, or its frames. */
  readonly video: HTMLVideoElement;
  /** Begins, or begins again. Being in a document with a `src` is enough to begin. */
  start(): void;
  stop(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'madang-watch': MadangWatchElement;
  }
  interface HTMLElementEventMap {
    'madang-state': CustomEvent<MadangStateDetail>;
    'madang-layers': CustomEvent<readonly MadangLayer[]>;
  }
}
