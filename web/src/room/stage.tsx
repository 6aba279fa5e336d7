import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { mainTile, orderTiles, pageOf } from '../lib/order';
import { type Box, grid, isPhone, pageCapacity, speaker, tilingOptions } from '../lib/tiling';
import { Icon } from '../ui/icons';
import { copyInvite } from './invite';
import type { Session } from './session';
import type { RoomState } from './state';
import { Tile } from './tile';
import type { TileView } from './views';

/** On a touch screen a tap on the filmstrip brings that tile to the large place. */
const TOUCH = matchMedia('(pointer: coarse)');

interface Placed {
  tile: TileView;
  box: Box;
  main: boolean;
}

interface Arrangement {
  placed: Placed[];
  page: number;
  pages: number;
  /** Where the page buttons belong. */
  pager: 'sides' | 'strip-right' | 'strip-bottom';
}

export function Stage({ session, state }: { session: Session; state: RoomState }) {
  const element = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  const previous = useRef<string[]>([]);
  const main = useRef<string | null>(null);
  useLayoutEffect(() => {
    const stage = element.current;
    if (!stage) return;
    const measure = (): void => {
      size.value = { width: stage.clientWidth, height: stage.clientHeight };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(stage);
    return () => observer.disconnect();
  }, []);

  const { width, height } = size.value;
  const capacity = pageCapacity(width, height);
  const ordered = orderTiles(session.tiles.value, previous.current, capacity);
  const keys = ordered.map((tile) => tile.key);
  const large = state.layout.value === 'speaker' ? mainTile(ordered, state.pinned.value, main.current) : undefined;
  useEffect(() => {
    previous.current = keys;
    main.current = large?.key ?? null;
    if (state.order.value.join('\n') !== keys.join('\n')) state.order.value = keys;
  });
  const arranged = large ? withLarge(ordered, large, state, width, height) : inGrid(ordered, state.page.value, width, height);
  const alone = session.people.value.length === 1;
  return (
    <section class="stage" aria-label={t.value.room.stage} data-testid="stage" data-layout={state.layout.value}>
      <div class="stage-area" ref={element}>
        {width > 0 &&
          arranged.placed.map(({ tile, box, main: isMain }) => (
            <Tile
              key={tile.key}
              tile={tile}
              box={box}
              main={isMain}
              pinned={state.pinned.value === tile.key}
              mirrored={session.facing.value === 'user'}
              onPin={() => state.togglePin(tile.key)}
              onTap={large && !isMain && TOUCH.matches ? () => state.togglePin(tile.key) : undefined}
            />
          ))}
        {alone && <Alone session={session} />}
      </div>
      {arranged.pages > 1 && <Pager arranged={arranged} state={state} />}
    </section>
  );
}

/** Height given to the page buttons when there is more than one page. */
const PAGER_PX = 52;

function inGrid(tiles: TileView[], page: number, width: number, fullHeight: number): Arrangement {
  const height = tiles.length > pageCapacity(width, fullHeight) ? fullHeight - PAGER_PX : fullHeight;
  const shown = pageOf(tiles, page, pageCapacity(width, height));
  const boxes = grid(shown.items.length, width, height, tilingOptions(width, height, shown.items.length));
  return { placed: pair(shown.items, boxes, false), page: shown.page, pages: shown.pages, pager: 'sides' };
}

function withLarge(tiles: TileView[], large: TileView, state: RoomState, width: number, height: number): Arrangement {
  const gap_px = isPhone(width) ? 6 : 10;
  const others = state.filmstrip.value ? tiles.filter((tile) => tile.key !== large.key) : [];
  const whole = speaker(others.length, width, height, gap_px);
  const reserve_px = others.length > whole.stripCapacity ? PAGER_PX : 0;
  const { stripCapacity } = speaker(others.length, width, height, gap_px, reserve_px);
  const shown = pageOf(others, state.page.value, stripCapacity);
  const layout = speaker(shown.items.length, width, height, gap_px, reserve_px);
  const placed = [...pair([large], [layout.main], true), ...pair(shown.items, layout.strip, false)];
  // Drawn in one order whatever the layout: a tile that moves keeps its picture.
  placed.sort((a, b) => tiles.indexOf(a.tile) - tiles.indexOf(b.tile));
  return { placed, page: shown.page, pages: shown.pages, pager: layout.side === 'right' ? 'strip-right' : 'strip-bottom' };
}

function pair(tiles: readonly TileView[], boxes: readonly Box[], main: boolean): Placed[] {
  return tiles.flatMap((tile, index) => {
    const box = boxes[index];
    return box ? [{ tile, box, main }] : [];
  });
}

function Pager({ arranged, state }: { arranged: Arrangement; state: RoomState }) {
  const words = t.value.room;
  const { page, pages } = arranged;
  const turn = (by: number): void => {
    state.page.value = page + by;
  };
  return (
    <nav class={`pager pager-${arranged.pager}`} aria-label={words.page(page + 1, pages)} data-testid="pager">
      <button type="button" class="icon-button" aria-label={words.previous} disabled={page === 0} onClick={() => turn(-1)}>
        <Icon name="left" />
      </button>
      <span class="pager-count" aria-hidden="true">
        {page + 1}/{pages}
      </span>
      <button type="button" class="icon-button" aria-label={words.next} disabled={page >= pages - 1} onClick={() => turn(1)}>
        <Icon name="right" />
      </button>
    </nav>
  );
}

function Alone({ session }: { session: Session }) {
  return (
    <div class="alone" data-testid="alone">
      <p class="alone-title">{t.value.room.alone}</p>
      <p>{t.value.room.aloneHint}</p>
      <button type="button" class="button button-main" onClick={() => void copyInvite(session)}>
        <Icon name="link" size={18} />
        {t.value.room.invite}
      </button>
    </div>
  );
}
