import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from '../ui/icons';

interface PanelProps {
  title: string;
  testId: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A column beside the stage; on a phone it covers the stage. Escape closes it and the focus goes back where it was. */
export function PanelFrame({ title, testId, onClose, children }: PanelProps) {
  const id = useId();
  const frame = useRef<HTMLElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    if (!frame.current?.contains(opener)) frame.current?.focus();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <aside
      ref={frame}
      class="panel"
      aria-labelledby={id}
      tabIndex={-1}
      data-testid={testId}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.isComposing) return;
        event.stopPropagation();
        onClose();
      }}
    >
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="icon-button" onClick={onClose} aria-label={t.value.app.close}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </aside>
  );
}
