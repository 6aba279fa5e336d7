import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { t } from '../i18n';
import { type Config, fetchConfig } from '../lib/api';
import { newRoomName, parseInvitation, parsePageLink, roomPath, studioPath } from '../lib/invite';
import { forget, name, NAME_LENGTH_MAX, recent } from '../prefs';
import { go } from '../route';
import { Page } from '../ui/chrome';
import { Icon } from '../ui/icons';
import { CounselLinks } from './counsel-links';
import { Courtyard } from './courtyard';

export function Home() {
  const words = t.value;
  const config = useSignal<Config | null>(null);
  useEffect(() => {
    void fetchConfig().then((answer) => {
      config.value = answer;
    });
  }, []);
  const closed = config.value !== null && !config.value.dev;
  return (
    <Page>
      <div class="home" data-testid="home">
        <section class="home-words">
          <h1>{words.app.tagline}</h1>
          <p class="lead">{words.app.about}</p>
          <Courtyard />
        </section>
        <section class="home-doors card">
          {closed ? <p class="hint">{words.home.closed}</p> : <StartButton />}
          <JoinForm withRule={!closed} />
          <RecentRooms />
          {!closed && <OtherDoors />}
        </section>
        <footer class="home-foot">
          <div>
            <p>{words.app.honest}</p>
            <p class="home-check">
              <a
                href="/check"
                data-testid="home-check"
                onClick={(event) => {
                  event.preventDefault();
                  go('/check');
                }}
              >
                {words.app.check}
              </a>
            </p>
          </div>
          {config.value && (
            <p class="home-version">
              {config.value.dev && <span>{words.home.devMode} </span>}
              <span>{words.home.version(config.value.version)}</span>
            </p>
          )}
        </footer>
      </div>
    </Page>
  );
}

function StartButton() {
  const hint = useId();
  return (
    <div class="home-start">
      <button type="button" class="button button-main button-wide" data-testid="home-start" aria-describedby={hint} onClick={() => go(roomPath(newRoomName()))}>
        {t.value.home.start}
        <Icon name="arrow" size={20} />
      </button>
      <p class="hint" id={hint}>
        {t.value.home.startHint}
      </p>
    </div>
  );
}

function JoinForm({ withRule }: { withRule: boolean }) {
  const words = t.value.home;
  const id = useId();
  const room = useSignal('');
  const wrong = useSignal(false);
  const submit = (event: Event): void => {
    event.preventDefault();
    const page = parsePageLink(room.value);
    if (page !== null) return go(page);
    const invitation = parseInvitation(room.value);
    wrong.value = invitation === null;
    if (invitation === null) {
      document.getElementById(`${id}-room`)?.focus();
      return;
    }
    go(roomPath(invitation.room) + (invitation.token === null ? '' : `#token=${encodeURIComponent(invitation.token)}`));
  };
  return (
    <form class="home-join" onSubmit={submit} noValidate>
      {withRule && (
        <p class="rule">
          <span>{words.or}</span>
        </p>
      )}
      <div class="field">
        <label for={`${id}-name`}>{words.yourName}</label>
        <input
          id={`${id}-name`}
          class="input"
          data-testid="home-name"
          autocomplete="name"
          maxLength={NAME_LENGTH_MAX}
          placeholder={words.namePlaceholder}
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
      </div>
      <div class="field">
        <label for={`${id}-room`}>{words.room}</label>
        <div class="field-row">
          <input
            id={`${id}-room`}
            class="input"
            data-testid="home-room"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder={words.roomPlaceholder}
            aria-invalid={wrong.value}
            aria-describedby={wrong.value ? `${id}-wrong` : undefined}
            value={room.value}
            onInput={(event) => {
              room.value = event.currentTarget.value;
              wrong.value = false;
            }}
          />
          <button type="submit" class="button" data-testid="home-join">
            {words.join}
          </button>
        </div>
        {wrong.value && (
          <p class="wrong" id={`${id}-wrong`} role="alert">
            {words.notRoom}
          </p>
        )}
      </div>
    </form>
  );
}

/** What else two or many may meet for. */
function OtherDoors() {
  const words = t.value.home;
  const counsel = useSignal(false);
  return (
    <section class="other-doors" aria-label={words.others}>
      <button
        type="button"
        class="other-door"
        data-testid="home-counsel"
        onClick={() => {
          counsel.value = true;
        }}
      >
        <Icon name="talk" />
        <span>
          <strong>{words.counsel}</strong>
          <small>{words.counselHint}</small>
        </span>
      </button>
      <button type="button" class="other-door" data-testid="home-studio" onClick={() => go(studioPath(newRoomName()))}>
        <Icon name="broadcast" />
        <span>
          <strong>{words.broadcast}</strong>
          <small>{words.broadcastHint}</small>
        </span>
      </button>
      {counsel.value && <CounselLinks onClose={() => (counsel.value = false)} />}
    </section>
  );
}

function RecentRooms() {
  const words = t.value.home;
  if (recent.value.length === 0) return null;
  return (
    <section class="recent" aria-label={words.recent}>
      <h2>{words.recent}</h2>
      <ul>
        {recent.value.map(({ room }) => (
          <li key={room}>
            <button type="button" class="recent-room" aria-label={words.rejoin(room)} onClick={() => go(roomPath(room))}>
              <span>{room}</span>
            </button>
            <button type="button" class="icon-button icon-small" aria-label={words.forget(room)} onClick={() => forget(room)}>
              <Icon name="close" size={16} />
            </button>
          </li>
        ))}
      </ul>
      <p class="hint">{words.recentHint}</p>
    </section>
  );
}
