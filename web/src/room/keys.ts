/** The keyboard in the room. */

import { actionOf, isTypingTarget } from '../lib/shortcuts';
import { shortcutsOn } from '../prefs';
import type { Session } from './session';
import type { RoomState } from './state';

/** Listens until the returned function is called. */
export function listenToKeys(session: Session, state: RoomState): () => void {
  let talking = false;
  const down = (event: KeyboardEvent): void => {
    if (!shortcutsOn.value || event.isComposing || state.window.value !== null || isTypingTarget(event.target as HTMLElement | null)) return;
    const action = actionOf(event);
    if (!action) return;
    if (action.do === 'talk') {
      // Space presses the button that the keyboard has gone to; one merely clicked does not count.
      if (document.activeElement?.matches('button:focus-visible, a:focus-visible, summary:focus-visible, input:focus-visible')) return;
      event.preventDefault();
      if (event.repeat || talking || session.micOn.value) return;
      talking = true;
      void session.setMic(true);
      return;
    }
    if (event.repeat) return;
    event.preventDefault();
    perform(action, session, state);
  };
  const up = (event: KeyboardEvent): void => {
    if (event.code !== 'Space' || !talking) return;
    event.preventDefault();
    hush();
  };
  const hush = (): void => {
    if (!talking) return;
    talking = false;
    void session.setMic(false);
  };
  addEventListener('keydown', down);
  addEventListener('keyup', up);
  // A key held while the window loses the keyboard is never seen to rise.
  addEventListener('blur', hush);
  return () => {
    removeEventListener('keydown', down);
    removeEventListener('keyup', up);
    removeEventListener('blur', hush);
  };
}

function perform(action: NonNullable<ReturnType<typeof actionOf>>, session: Session, state: RoomState): void {
  const me = session.me.value;
  switch (action.do) {
    case 'mic':
      return void session.setMic(!session.micOn.value);
    case 'camera':
      return void session.setCamera(!session.cameraOn.value);
    case 'screen':
      return void session.setScreen(!me?.sharing);
    case 'hand':
      return void session.setHand(!me?.hand_ms);
    case 'chat':
      return state.togglePanel('chat');
    case 'people':
      return state.togglePanel('people');
    case 'layout':
      return state.toggleLayout();
    case 'filmstrip':
      state.filmstrip.value = !state.filmstrip.value;
      return;
    case 'stats':
      state.stats.value = !state.stats.value;
      return;
    case 'help':
      state.window.value = 'keys';
      return;
    case 'pin':
      return state.pinNumber(action.index);
    case 'talk':
      return;
  }
}
