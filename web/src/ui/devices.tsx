import { signal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { t } from '../i18n';
import { canChooseSpeaker, type Devices, listDevices } from '../lib/media';

export const deviceList = signal<Devices>({ microphones: [], cameras: [], speakers: [] });

/** Whether the browser has told yet: until then nobody can say that there is none. */
const isListed = signal(false);

export async function refreshDevices(): Promise<void> {
  deviceList.value = await listDevices();
  isListed.value = true;
}

/** Keeps the list fresh while something on the screen shows it. */
export function useDevices(): void {
  useEffect(() => {
    const refresh = (): void => void refreshDevices();
    refresh();
    navigator.mediaDevices?.addEventListener?.('devicechange', refresh);
    return () => navigator.mediaDevices?.removeEventListener?.('devicechange', refresh);
  }, []);
}

interface SelectProps {
  kind: keyof Devices;
  value: string;
  onChoose: (deviceId: string) => void;
}

export function DeviceSelect({ kind, value, onChoose }: SelectProps) {
  const id = useId();
  if (kind === 'speakers' && !canChooseSpeaker()) return null;
  const words = t.value.prejoin;
  const label = { microphones: words.microphone, cameras: words.camera, speakers: words.speaker }[kind];
  const devices = deviceList.value[kind];
  const known = devices.some((device) => device.deviceId === value);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        class="select"
        data-testid={`select-${kind}`}
        disabled={devices.length === 0}
        value={known ? value : ''}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        {devices.length === 0 && <option value="">{isListed.value ? words.noDevice : words.defaultDevice}</option>}
        {devices.length > 0 && !devices.some((device) => device.deviceId === 'default') && <option value="">{words.defaultDevice}</option>}
        {devices.map((device, index) => (
          <option value={device.deviceId === 'default' ? '' : device.deviceId} key={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </div>
  );
}
