import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../ui/icons';
import { announce, notify } from '../ui/notices';
import type { Trouble } from './observer';
import type { Session } from './session';
import type { RoomState } from './state';

/** What cannot wait: at the top of the stage, one below the other. */
export function Banners({ session, state }: { session: Session; state: RoomState }) {
  const words = t.value.banner;
  return (
    <div class="banners">
      <ConnectionBanner trouble={session.observer.trouble.value} />
      {session.audioBlocked.value && (
        <div class="banner banner-calm" data-testid="banner-audio">
          <Icon name="volume" size={20} />
          <span>{words.hearBlocked}</span>
          <button type="button" class="button button-small" data-testid="btn-hear" onClick={() => void session.hear()}>
            {words.hear}
          </button>
        </div>
      )}
      <MicBanner session={session} state={state} />
    </div>
  );
}

function ConnectionBanner({ trouble }: { trouble: Trouble }) {
  const words = t.value.banner;
  const was = useSignal<Trouble>(null);
  useEffect(() => {
    if (trouble !== null) announce(words[trouble]);
    else if (was.value !== null) notify(words.back, 'check');
    was.value = trouble;
  }, [trouble]);
  if (trouble === null) return null;
  return (
    <div class="banner banner-trouble" data-testid="banner-reconnect" data-trouble={trouble}>
      <span class="spinner" aria-hidden="true" />
      <span>{words[trouble]}</span>
    </div>
  );
}

function MicBanner({ session, state }: { session: Session; state: RoomState }) {
  const words = t.value.banner;
  const hint = session.ear.hint.value;
  useEffect(() => {
    if (hint) announce(hint === 'muted_speaking' ? words.mutedSpeaking : words.noSignal);
  }, [hint]);
  if (hint === null) return null;
  const muted = hint === 'muted_speaking';
  return (
    <div class="banner banner-calm" data-testid="banner-mic" data-hint={hint}>
      <Icon name="micOff" size={20} />
      <span>{muted ? words.mutedSpeaking : words.noSignal}</span>
      <button
        type="button"
        class="button button-small"
        onClick={() => {
          if (muted) void session.setMic(true);
          else state.window.value = 'settings';
        }}
      >
        {muted ? words.unmute : words.choose}
      </button>
      <button type="button" class="icon-button icon-small" aria-label={words.dismiss} onClick={() => session.ear.dismiss()}>
        <Icon name="close" size={16} />
      </button>
    </div>
  );
}
