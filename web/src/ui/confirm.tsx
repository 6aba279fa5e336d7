import { t } from '../i18n';
import { Dialog } from './dialog';

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  testId: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** For what cannot be taken back. */
export function Confirm({ title, text, action, testId, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={title} testId={testId} onClose={onClose}>
      <p>{text}</p>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          {t.value.app.cancel}
        </button>
        <button
          type="button"
          class="button button-main"
          data-testid={`${testId}-yes`}
          onClick={() => {
            onClose();
            onConfirm();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
