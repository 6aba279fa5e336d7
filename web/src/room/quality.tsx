import { t } from '../i18n';
import type { Quality } from './views';

const BARS: Record<Quality, number> = { excellent: 3, good: 2, poor: 1, lost: 0, unknown: 0 };

export function QualityBars({ quality }: { quality: Quality }) {
  return (
    <span class={`quality quality-${quality}`} role="img" aria-label={t.value.room.quality[quality]} title={t.value.room.quality[quality]} data-testid="quality" data-quality={quality}>
      {[1, 2, 3].map((bar) => (
        <span key={bar} class={bar <= BARS[quality] ? 'quality-bar quality-on' : 'quality-bar'} />
      ))}
    </span>
  );
}
