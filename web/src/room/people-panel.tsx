import { t } from '../i18n';
import { Avatar } from '../ui/avatar';
import { Icon } from '../ui/icons';
import { PanelFrame } from './panel';
import { QualityBars } from './quality';
import type { Session } from './session';
import type { RoomState } from './state';
import type { PersonView } from './views';

export function PeoplePanel({ session, state }: { session: Session; state: RoomState }) {
  const words = t.value.people;
  const hands = session.hands.value;
  const people = session.people.value;
  return (
    <PanelFrame title={`${words.title} (${people.length})`} testId="people" onClose={() => state.togglePanel('people')}>
      <div class="people-scroll" tabIndex={0} role="group" aria-label={words.title}>
        {hands.length > 0 && (
          <section>
            <h3>{words.handsFirst}</h3>
            <ol data-testid="hands">
              {hands.map((person) => (
                <Row key={person.identity} person={person} />
              ))}
            </ol>
          </section>
        )}
        <section>
          <h3>{words.everybody}</h3>
          <ul data-testid="people-list">
            {people.map((person) => (
              <Row key={person.identity} person={person} />
            ))}
          </ul>
        </section>
      </div>
    </PanelFrame>
  );
}

function Row({ person }: { person: PersonView }) {
  const words = t.value.room;
  return (
    <li class="person" data-testid="person" data-identity={person.identity}>
      <Avatar name={person.name} id={person.identity} size="small" />
      <span class="person-name">{person.local ? words.youSuffix(person.name) : person.name}</span>
      {person.hand_ms > 0 && (
        <span class="person-hand" role="img" aria-label={words.handUp}>
          <Icon name="hand" size={18} />
        </span>
      )}
      {person.sharing && <Icon name="screen" size={18} />}
      <span class={person.mic ? 'person-state' : 'person-state person-off'} role="img" aria-label={person.mic ? words.micOn : words.micOff}>
        <Icon name={person.mic ? 'mic' : 'micOff'} size={18} />
      </span>
      <QualityBars quality={person.quality} />
    </li>
  );
}
