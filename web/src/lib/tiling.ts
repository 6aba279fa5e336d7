/** Where tiles go. Pure geometry: pixels in, pixels out. */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface TilingOptions {
  gap_px: number;
  /** Narrowest and widest picture shape a tile may take (width ÷ height). */
  aspectMin: number;
  aspectMax: number;
}

export interface SpeakerLayout {
  main: Box;
  strip: Box[];
  /** How many tiles the filmstrip has room for at this size. */
  stripCapacity: number;
  side: 'right' | 'bottom';
}

export const PAGE_TILES_MAX = 25;
const PHONE_WIDTH_PX = 600;

export function isPhone(width: number): boolean {
  return width < PHONE_WIDTH_PX;
}

export function tilingOptions(width: number, height: number, count: number): TilingOptions {
  const phone = isPhone(width);
  // A single person on an upright phone may fill it.
  const upright = count === 1 ? 0.45 : 0.75;
  return { gap_px: phone ? 6 : 10, aspectMin: phone && height > width ? upright : 4 / 3, aspectMax: 16 / 9 };
}

/** Equal tiles, as large as possible, each row centred. */
export function grid(count: number, width: number, height: number, options: TilingOptions): Box[] {
  if (count <= 0 || width <= 0 || height <= 0) return [];
  const { gap_px } = options;
  let best = { area: -1, columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const size = fit((width - gap_px * (columns - 1)) / columns, (height - gap_px * (rows - 1)) / rows, options);
    const area = size.width * size.height;
    // A hair's difference is not worth an emptier last row.
    if (area > best.area * 1.001) best = { area, columns, ...size };
  }
  return place(count, width, height, best.columns, best.width, best.height, gap_px);
}

/** How many tiles one grid page may hold so that none becomes a stamp. */
export function pageCapacity(width: number, height: number): number {
  const phone = isPhone(width);
  const [tileWidth, tileHeight, limit] = phone ? [150, 110, 8] : [170, 100, PAGE_TILES_MAX];
  const fits = Math.max(1, Math.floor(width / tileWidth)) * Math.max(1, Math.floor(height / tileHeight));
  return Math.min(limit, fits);
}

/**
 * One large tile and a filmstrip; without a filmstrip the main tile takes everything. `reserve_px` is kept free below the filmstrip for
 * its page buttons.
 */
export function speaker(stripCount: number, width: number, fullHeight: number, gap_px: number, reserve_px = 0): SpeakerLayout {
  const side = width >= 720 && width > fullHeight * 1.15 ? 'right' : 'bottom';
  const height = fullHeight - reserve_px;
  const strip = side === 'right' ? stripRight(width, height, gap_px) : stripBottom(width, height, gap_px);
  const shown = Math.min(stripCount, strip.capacity);
  if (shown === 0) return { main: { x: 0, y: 0, width, height: fullHeight }, strip: [], stripCapacity: strip.capacity, side };
  const used = shown * (strip.step - gap_px) + (shown - 1) * gap_px;
  const boxes: Box[] = [];
  for (let index = 0; index < shown; index++) {
    const along = index * strip.step;
    boxes.push(
      side === 'right'
        ? { x: width - strip.width, y: (height - used) / 2 + along, width: strip.width, height: strip.height }
        : { x: (width - used) / 2 + along, y: height - strip.height, width: strip.width, height: strip.height },
    );
  }
  const main =
    side === 'right'
      ? { x: 0, y: 0, width: width - strip.width - gap_px, height: fullHeight }
      : { x: 0, y: 0, width, height: height - strip.height - gap_px };
  return { main, strip: boxes, stripCapacity: strip.capacity, side };
}

interface Strip {
  width: number;
  height: number;
  step: number;
  capacity: number;
}

function stripRight(width: number, height: number, gap_px: number): Strip {
  const tile = Math.round(clamp(width * 0.17, 132, 240));
  const tall = Math.round((tile * 9) / 16);
  const step = tall + gap_px;
  return { width: tile, height: tall, step, capacity: Math.max(1, Math.floor((height + gap_px) / step)) };
}

function stripBottom(width: number, height: number, gap_px: number): Strip {
  const phone = isPhone(width);
  const tall = phone ? Math.round(clamp(height * 0.12, 72, 100)) : Math.round(clamp(height * 0.18, 72, 132));
  const tile = phone ? tall : Math.round((tall * 4) / 3);
  const step = tile + gap_px;
  return { width: tile, height: tall, step, capacity: Math.max(1, Math.floor((width + gap_px) / step)) };
}

function fit(width: number, height: number, options: TilingOptions): { width: number; height: number } {
  if (width <= 0 || height <= 0) return { width: 0, height: 0 };
  const aspect = width / height;
  if (aspect > options.aspectMax) return { width: height * options.aspectMax, height };
  if (aspect < options.aspectMin) return { width, height: width / options.aspectMin };
  return { width, height };
}

function place(count: number, width: number, height: number, columns: number, tileWidth: number, tileHeight: number, gap_px: number): Box[] {
  const rows = Math.ceil(count / columns);
  const top = (height - rows * tileHeight - (rows - 1) * gap_px) / 2;
  const boxes: Box[] = [];
  for (let index = 0; index < count; index++) {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (width - inRow * tileWidth - (inRow - 1) * gap_px) / 2;
    boxes.push({
      x: left + (index % columns) * (tileWidth + gap_px),
      y: top + row * (tileHeight + gap_px),
      width: tileWidth,
      height: tileHeight,
    });
  }
  return boxes;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
