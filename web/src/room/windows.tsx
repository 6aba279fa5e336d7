import { useId } from 'preact/hooks';
import { t } from '../i18n';
import { devices, mirrorOn, shortcutsOn } from '../prefs';
import { LanguageChoice, ThemeChoice } from '../ui/chrome';
import { DeviceSelect, useDevices } from '../ui/devices';
import { Dialog } from '../ui/dialog';
import type { Session } from './session';
import type { RoomState } from './state';

export function Windows({ session, state }: { session: Session; state: RoomState }) {
  const close = (): void => {
    state.window.value = null;
  };
  switch (state.window.value) {
    case 'settings':
      return <SettingsDialog session={session} onClose={close} />;
    case 'keys':
      return <ShortcutsDialog onClose={close} />;
    case null:
      return null;
  }
}

function SettingsDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  const words = t.value.settings;
  useDevices();
  return (
    <Dialog title={words.title} testId="settings-dialog" onClose={onClose}>
      <section class="dialog-section">
        <h3>{words.devices}</h3>
        <DeviceSelect kind="microphones" value={devices.microphone.value} onChoose={(deviceId) => void session.useDevice('audioinput', deviceId)} />
        <DeviceSelect kind="cameras" value={devices.camera.value} onChoose={(deviceId) => void session.useDevice('videoinput', deviceId)} />
        <DeviceSelect kind="speakers" value={devices.speaker.value} onChoose={(deviceId) => void session.useDevice('audiooutput', deviceId)} />
      </section>
      <section class="dialog-section">
        <h3>{words.general}</h3>
        <LanguageChoice />
        <ThemeChoice />
        <Switch
          label={words.mirror}
          on={mirrorOn.value}
          onChange={(on) => {
            mirrorOn.value = on;
          }}
        />
        <Switch
          label={words.keys}
          hint={words.keysHint}
          on={shortcutsOn.value}
          onChange={(on) => {
            shortcutsOn.value = on;
          }}
        />
      </section>
    </Dialog>
  );
}

function Switch({ label, hint = '', on, onChange }: { label: string; hint?: string; on: boolean; onChange: (on: boolean) => void }) {
  const id = useId();
  return (
    <div class="switch-row">
      <span>
        <label for={id}>{label}</label>
        {hint && <span class="hint">{hint}</span>}
      </span>
      <input id={id} class="switch" type="checkbox" role="switch" checked={on} onChange={(event) => onChange(event.currentTarget.checked)} />
    </div>
  );
}

function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const words = t.value.keys;
  return (
    <Dialog title={words.title} testId="shortcuts-dialog" onClose={onClose}>
      {!shortcutsOn.value && <p class="hint">{words.disabled}</p>}
      <dl class="keys">
        {words.list.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
