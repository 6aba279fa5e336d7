/** `<madang-publish src="https://host/whip/room">`: camera, microphone or screen over WHIP. See docs/embed.md. */

import type { MadangState, MadangStateDetail } from './watch';

export interface MadangPublishElement extends HTMLElement {
  src: string;
  token: string;
  /** Three encodings of the picture, so that each viewer gets what fits. `simulcast="off"`: one. */
  simulcast: boolean;
  readonly state: MadangState;
  /** What is shown and, once started, sent. */
  readonly stream: MediaStream;
  readonly video: HTMLVideoElement;
  /** Asks for camera and microphone; shows why, if there are none. */
  open(): Promise<void>;
  /** Asks for the screen. Call it from a press. */
  share(): Promise<void>;
  /** Goes live, after `open()` if nothing is open yet. */
  start(): Promise<void>;
  /** Goes off air; the preview stays. */
  stop(): void;
  /** Off air, and camera and microphone are let go. */
  close(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'madang-publish': MadangPublishElement;
  }
  interface HTMLElementEventMap {
    'madang-state': CustomEvent<MadangStateDetail>;
  }
}
