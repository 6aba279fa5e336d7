import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './icons';
import { notify } from './notices';

export async function copyLink(link: string, said = t.value.notice.copied): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(link);
    notify(said, 'check');
    return true;
  } catch {
    notify(t.value.notice.copyFailed(link), 'link');
    return false;
  }
}

/** A link to hand on: to be seen, marked, or copied by one press. */
export function LinkField({ label, link, testId, hint = '' }: { label: string; link: string; testId: string; hint?: string }) {
  const id = useId();
  const copied = useSignal(false);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-row">
        <input id={id} class="input link-input" readOnly value={link} data-testid={`${testId}-link`} onFocus={(event) => event.currentTarget.select()} aria-describedby={hint ? `${id}-hint` : undefined} />
        <button
          type="button"
          class="button"
          data-testid={`${testId}-copy`}
          aria-label={t.value.links.copyOf(label)}
          onClick={() =>
            void copyLink(link).then((done) => {
              copied.value = done;
            })
          }
        >
          <Icon name={copied.value ? 'check' : 'copy'} size={20} />
          <span class="link-word">{copied.value ? t.value.links.copied : t.value.links.copy}</span>
        </button>
      </div>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** Some lines to paste elsewhere. */
export function SnippetField({ label, text, testId }: { label: string; text: string; testId: string }) {
  const id = useId();
  const copied = useSignal(false);
  const copy = (): void => {
    void copyLink(text, t.value.links.copied).then((done) => {
      copied.value = done;
    });
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea id={id} class="input snippet" readOnly rows={4} spellcheck={false} value={text} data-testid={`${testId}-snippet`} onFocus={(event) => event.currentTarget.select()} />
      <button type="button" class="button" data-testid={`${testId}-copy`} aria-label={t.value.links.copyOf(label)} onClick={copy}>
        <Icon name={copied.value ? 'check' : 'copy'} size={20} />
        {copied.value ? t.value.links.copied : t.value.links.copy}
      </button>
    </div>
  );
}
