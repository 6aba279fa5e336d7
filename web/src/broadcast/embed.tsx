/** The broadcast on somebody's own page: what to paste there. */
import { t } from '../i18n';
import { snippet } from '../lib/embed';
import { SnippetField } from '../ui/copy';
import { Dialog } from '../ui/dialog';

export function EmbedDialog({ room, onClose }: { room: string; onClose: () => void }) {
  const words = t.value.embed;
  return (
    <Dialog title={words.title} testId="embed-dialog" onClose={onClose} wide>
      <p class="hint">{words.hint}</p>
      <SnippetField label={words.watch} text={snippet('watch', location.origin, room)} testId="embed-watch" />
      <SnippetField label={words.publish} text={snippet('publish', location.origin, room)} testId="embed-publish" />
      <p class="hint">{words.token}</p>
      <pre class="snippet-command">
        <code>{`madang token --room ${quoted(room)} --identity page --no-publish`}</code>
      </pre>
    </Dialog>
  );
}

/** For a shell. */
function quoted(room: string): string {
  return /^[\w.-]+$/.test(room) ? room : `'${room.replaceAll("'", "'\\''")}'`;
}
