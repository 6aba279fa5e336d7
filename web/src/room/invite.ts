import { t } from '../i18n';
import { invitationLink } from '../lib/invite';
import { route } from '../route';
import { copyLink } from '../ui/copy';
import { notify } from '../ui/notices';
import type { Session } from './session';

export async function copyInvite(session: Session): Promise<void> {
  await copyLink(invitationLink(location.origin, session.name));
  // Who came by invitation is on a server that lets nobody in without one.
  const invited = route.value.at === 'room' && route.value.invitation.token !== null;
  if (invited) notify(t.value.notice.inviteNeedsToken);
}
