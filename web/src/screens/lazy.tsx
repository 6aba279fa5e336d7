import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { Page } from '../ui/chrome';
import { MessagePage } from './message';

interface Module {
  Page: ComponentType;
}

/** A page whose code is fetched now. */
export function Lazy({ load }: { load: () => Promise<Module> }) {
  const view = useSignal<ComponentType | null>(null);
  const failure = useSignal('');
  useEffect(() => {
    load().then(
      (module) => {
        view.value = module.Page;
      },
      (error: unknown) => {
        failure.value = String(error);
      },
    );
  }, []);
  if (failure.value) {
    const { title, text } = t.value.end.unreachable;
    return (
      <MessagePage title={title} text={text} detail={failure.value}>
        <button type="button" class="button button-main" onClick={() => location.reload()}>
          {t.value.prejoin.retry}
        </button>
      </MessagePage>
    );
  }
  const View = view.value;
  return View ? <View /> : <Page>{null}</Page>;
}
