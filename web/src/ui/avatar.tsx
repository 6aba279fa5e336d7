import { hash, initials } from '../lib/format';

const TINTS = 6;

export function Avatar({ name, id, size }: { name: string; id: string; size: 'small' | 'tile' }) {
  return (
    <span class={`avatar avatar-${size} tint-${hash(id, TINTS)}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}
