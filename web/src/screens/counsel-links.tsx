import { useMemo } from 'preact/hooks';
import { t } from '../i18n';
import { counselPath, newRoomName } from '../lib/invite';
import { go } from '../route';
import { LinkField } from '../ui/copy';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icons';

/** Two links for two people: each sits on a seat of his own. */
export function CounselLinks({ onClose }: { onClose: () => void }) {
  const words = t.value.counsel;
  const room = useMemo(() => newRoomName(), []);
  return (
    <Dialog title={words.name} testId="counsel-links" onClose={onClose}>
      <p class="hint">{words.linksHint}</p>
      <LinkField label={words.expertLink} link={location.origin + counselPath(room, 'expert')} testId="expert" hint={words.expertLinkHint} />
      <LinkField label={words.memberLink} link={location.origin + counselPath(room, 'member')} testId="member" hint={words.memberLinkHint} />
      <button type="button" class="button button-main button-wide" data-testid="counsel-open" onClick={() => go(counselPath(room, 'expert'))}>
        {words.openAsExpert}
        <Icon name="arrow" size={20} />
      </button>
    </Dialog>
  );
}
