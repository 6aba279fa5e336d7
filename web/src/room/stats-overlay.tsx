import { t } from '../i18n';
import { bitrate, percent } from '../lib/format';
import type { StreamRow } from '../lib/stats';
import { Icon } from '../ui/icons';
import type { Session } from './session';
import type { RoomState } from './state';

export function StatsOverlay({ session, state }: { session: Session; state: RoomState }) {
  const words = t.value.stats;
  const sample = session.observer.sample.value;
  return (
    <aside
      class="stats"
      aria-label={words.title}
      data-testid="stats-overlay"
      onKeyDown={(event) => {
        if (event.key === 'Escape') state.stats.value = false;
      }}
    >
      <header class="panel-head">
        <h2>{words.title}</h2>
        <button type="button" class="icon-button" aria-label={words.download} title={words.download} data-testid="stats-download" onClick={() => download(session)}>
          <Icon name="download" size={20} />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={t.value.app.close}
          onClick={() => {
            state.stats.value = false;
          }}
        >
          <Icon name="close" size={20} />
        </button>
      </header>
      {sample && (
        <dl class="stats-route">
          <Fact name={words.rtt} value={sample.rtt_ms > 0 ? `${sample.rtt_ms} ms` : '–'} />
          <Fact name={words.sent} value={bitrate(sample.sent_bps)} />
          <Fact name={words.received} value={bitrate(sample.received_bps)} />
        </dl>
      )}
      <div class="stats-scroll" tabIndex={0} role="group" aria-label={words.stream}>
        {sample && sample.rows.length > 0 ? <StreamTable rows={sample.rows} session={session} /> : <p class="panel-empty">{words.none}</p>}
      </div>
    </aside>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function StreamTable({ rows, session }: { rows: readonly StreamRow[]; session: Session }) {
  const words = t.value.stats;
  const owners = ownersOf(session);
  return (
    <table>
      <thead>
        <tr>
          {[words.stream, words.codec, words.size, words.fps, words.rate, words.loss, words.jitter].map((head) => (
            <th scope="col" key={head}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id} data-testid="stats-row" data-direction={row.direction}>
            <th scope="row">
              {owners.get(row.trackId) ?? (row.direction === 'out' ? t.value.room.you : '–')}
              <small>
                {row.kind === 'audio' ? words.audio : words.video}
                {row.direction === 'out' ? ` · ${words.out}` : ''}
                {row.rid ? ` · ${row.rid}` : ''}
                {row.limited === 'cpu' ? ` · ${words.limitedcpu}` : row.limited === 'bandwidth' ? ` · ${words.limitedbandwidth}` : ''}
              </small>
            </th>
            <td>{row.codec}</td>
            <td>{row.width > 0 ? `${row.width}×${row.height}` : '–'}</td>
            <td>{row.kind === 'video' && !isResting(row) ? row.fps : '–'}</td>
            <td>{bitrate(row.bitrate_bps)}</td>
            <td>{isResting(row) ? '–' : percent(row.loss)}</td>
            <td>{isResting(row) ? '–' : `${row.jitter_ms} ms`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** An encoding that nobody wants just now: what was last told of it is old. */
function isResting(row: StreamRow): boolean {
  return row.direction === 'out' && row.bitrate_bps === 0;
}

/** Whose picture or voice a media track is. */
function ownersOf(session: Session): Map<string, string> {
  const owners = new Map<string, string>();
  const { room } = session;
  for (const person of [room.localParticipant, ...room.remoteParticipants.values()]) {
    for (const publication of person.trackPublications.values()) {
      const id = publication.track?.mediaStreamTrack.id;
      if (id) owners.set(id, person.isLocal ? t.value.room.you : person.name || person.identity);
    }
  }
  return owners;
}

function download(session: Session): void {
  const report = {
    made: new Date().toISOString(),
    room: session.name,
    identity: session.room.localParticipant.identity,
    server: { version: session.room.serverInfo?.version, node: session.room.serverInfo?.nodeId },
    browser: navigator.userAgent,
    people: session.people.value.length,
    owners: Object.fromEntries(ownersOf(session)),
    samples: session.observer.history,
  };
  const address = URL.createObjectURL(new Blob([JSON.stringify(report, null, 1)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `madang-${session.name}-${Date.now()}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1_000);
}
