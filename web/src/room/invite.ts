import { t } from '../i18n';
import { invitationLink } from '../lib/invite';
import { route } from '../route';
import { notify } from '../ui/notices';
import type { Session } from './session';

export async function copyInvite(session: Session): Promise<void> {
  const link = invitationLink(location.origin, session.name);
  try {
    await navigator.clipboard.writeText(link);
    notify(t.value.notice.copied, 'check');
  } catch {
    notify(t.value.notice.copyFailed(link), 'link');
  }
  // Who came by invitation is on a server that lets nobody in without one.
  const invited = route.value.at === 'room' && route.value.invitation.token !== null;
  if (invited) notify(t.value.notice.inviteNeedsToken);
}
