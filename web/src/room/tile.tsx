import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import type { Box } from '../lib/tiling';
import { mirrorOn } from '../prefs';
import { Avatar } from '../ui/avatar';
import { Icon } from '../ui/icons';
import { QualityBars } from './quality';
import type { TileView } from './views';

interface TileProps {
  tile: TileView;
  box: Box;
  main: boolean;
  pinned: boolean;
  /** The camera looks at its owner: shown to them as in a mirror. */
  mirrored: boolean;
  onPin: () => void;
  onTap: (() => void) | undefined;
}

export function Tile({ tile, box, main, pinned, mirrored, onPin, onTap }: TileProps) {
  const words = t.value.room;
  const screen = tile.source === 'screen_share';
  const title = screen ? (tile.local ? words.yourScreen : words.screenOf(tile.name)) : tile.local ? words.youSuffix(tile.name) : tile.name;
  const states = [!screen && !tile.mic ? words.muted : '', tile.hand_ms > 0 && !screen ? words.handUp : ''].filter(Boolean).join(', ');
  const small = box.width < 190;
  // Beside a name there is no place for bars on a stamp.
  const tiny = box.width < 120;
  return (
    <article
      class={['tile', screen ? 'tile-screen' : '', main ? 'tile-main' : '', small ? 'tile-small' : '', tile.speaking ? 'tile-speaking' : ''].filter(Boolean).join(' ')}
      aria-label={words.tile(title, states)}
      data-testid="tile"
      data-identity={tile.identity}
      data-source={tile.source}
      data-local={tile.local}
      data-speaking={tile.speaking}
      data-pinned={pinned}
      data-video={tile.video}
      onDblClick={onTap ? undefined : onPin}
      onClick={onTap}
      style={{ width: `${box.width}px`, height: `${box.height}px`, transform: `translate(${box.x}px, ${box.y}px)` }}
    >
      {!screen && <Avatar name={tile.name} id={tile.identity} size="tile" />}
      <Picture tile={tile} mirrored={mirrored && mirrorOn.value && tile.local && !screen} label={title} />
      {tile.paused && <p class="tile-paused">{words.paused}</p>}
      {tile.hand_ms > 0 && !screen && (
        <span class="tile-hand" data-testid="tile-hand" aria-hidden="true">
          <Icon name="hand" size={18} />
        </span>
      )}
      <button
        type="button"
        class="tile-pin"
        data-testid="tile-pin"
        aria-pressed={pinned}
        aria-label={words.pin(title)}
        onClick={(event) => {
          event.stopPropagation();
          onPin();
        }}
      >
        <Icon name="pin" size={18} />
      </button>
      <footer class="tile-foot">
        <span class="tile-name">
          {!screen && !tile.mic && <Icon name="micOff" size={16} />}
          {screen && <Icon name="screen" size={16} />}
          <span class="tile-name-text">{title}</span>
        </span>
        {!tiny && <QualityBars quality={tile.quality} />}
      </footer>
    </article>
  );
}

function Picture({ tile, mirrored, label }: { tile: TileView; mirrored: boolean; label: string }) {
  const element = useRef<HTMLVideoElement>(null);
  const track = tile.publication?.videoTrack;
  useEffect(() => {
    const video = element.current;
    if (!video || !track) return;
    track.attach(video);
    return () => {
      track.detach(video);
    };
  }, [track]);
  return <video ref={element} class={mirrored ? 'mirrored' : ''} data-testid="video" aria-label={label} playsInline muted autoplay hidden={!tile.video} />;
}
