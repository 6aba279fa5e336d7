import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { go } from '../route';
import { Page } from '../ui/chrome';
import { Icon, type IconName } from '../ui/icons';
import { hush } from '../ui/notices';

interface MessageProps {
  title: string;
  text: string;
  /** `calm` for an ending one wished for, `trouble` for one that needs a remedy. */
  tone?: 'calm' | 'trouble';
  icon?: IconName;
  detail?: string;
  testId?: string;
  code?: string;
  children?: ComponentChildren;
}

/** A whole screen that says one thing and what to do about it. */
export function MessagePage({ title, text, tone = 'trouble', icon, detail = '', testId = 'message', code = '', children }: MessageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [title]);
  useEffect(hush, []);
  return (
    <Page narrow>
      <section class="message" data-testid={testId} data-code={code}>
        <span class={`message-mark message-${tone}`} aria-hidden="true">
          <Icon name={icon ?? (tone === 'calm' ? 'leave' : 'alert')} size={28} />
        </span>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p>{text}</p>
        <div class="message-actions">
          {children}
          <button type="button" class="button" data-testid="message-home" onClick={() => go('/')}>
            {t.value.end.home}
          </button>
        </div>
        {detail && (
          <details class="message-detail">
            <summary>{t.value.end.detail}</summary>
            <code>{detail}</code>
          </details>
        )}
      </section>
    </Page>
  );
}
