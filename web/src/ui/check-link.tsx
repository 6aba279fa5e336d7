import { t } from '../i18n';
import { checkPath } from '../lib/invite';
import { route } from '../route';

/** To the page that finds out what does not work here, with the invitation of the present one. In a tab of its own: what one was about stays. */
export function CheckLink() {
  const token = 'invitation' in route.value ? route.value.invitation.token : null;
  return (
    <a class="button" href={checkPath(token)} target="_blank" rel="noopener" data-testid="check-link">
      {t.value.app.check}
    </a>
  );
}
