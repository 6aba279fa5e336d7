import { t } from '../i18n';
import type { MediaFailure } from '../lib/media';
import { Icon } from '../ui/icons';
import { route } from '../route';
import { CheckLink } from '../ui/check-link';
import type { Preview } from './preview';

/** Why there is no camera or no microphone, and what to do about it. `again`: another try, where it is more than the preview's own. */
export function Help({ preview, again = () => void preview.start() }: { preview: Preview; again?: () => void }) {
  const words = t.value.prejoin;
  const audio = preview.failures.audio.value;
  const video = preview.failures.video.value;
  const causes: Array<{ which: string; cause: MediaFailure }> = [];
  if (audio && audio === video) causes.push({ which: words.helpFor.both, cause: audio });
  else {
    if (audio) causes.push({ which: words.helpFor.audio, cause: audio });
    if (video) causes.push({ which: words.helpFor.video, cause: video });
  }
  if (preview.starting.value || causes.length === 0) return null;
  return (
    <section class="help" data-testid="prejoin-help" role="alert">
      {causes.map(({ which, cause }) => (
        <div key={which} data-cause={cause}>
          <h2>
            <Icon name="alert" size={20} />
            <span>
              {which}: {words.help[cause].title}
            </span>
          </h2>
          <p>{words.help[cause].text}</p>
          <ol>
            {words.help[cause].steps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
        </div>
      ))}
      <div class="help-actions">
        <button type="button" class="button" data-testid="prejoin-retry" onClick={again}>
          {words.retry}
        </button>
        {route.value.at !== 'check' && <CheckLink />}
      </div>
    </section>
  );
}
