import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { PICTURE_TYPES, pictureTrouble } from '../lib/picture';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icons';
import { notify } from '../ui/notices';
import type { Session } from './session';
import { otherName } from './screen';
import type { Picture } from './words';

const FOLDER = '/resources/upload_images/';

export function PicturePanel({ session }: { session: Session }) {
  const words = t.value.counsel;
  const id = useId();
  const chosen = useSignal<File | null>(null);
  const open = useSignal<number | null>(null);
  const pictures = session.pictures.value;
  const choose = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    const trouble = await pictureTrouble(file);
    if (trouble) notify(words.pictureTrouble[trouble], 'alert');
    else chosen.value = file;
  };
  usePasted((file) => void choose(file));
  return (
    <>
      <section class="counsel-pictures" id="counsel-pictures" aria-labelledby={`${id}-title`} data-testid="pictures">
        <header class="panel-head">
          <h2 id={`${id}-title`}>{words.picturesCount(pictures.length)}</h2>
          <label class="button button-small counsel-add">
            <Icon name="picture" size={18} />
            <span>{words.addPicture}</span>
            <input
              type="file"
              class="sr-only"
              accept={PICTURE_TYPES}
              data-testid="picture-file"
              onChange={(event) => {
                void choose(event.currentTarget.files?.[0]);
                // The same file may be chosen again.
                event.currentTarget.value = '';
              }}
            />
          </label>
        </header>
        <ul class="gallery" data-testid="gallery">
          {pictures.map((picture, index) => (
            <li key={picture.name}>
              <Thumb
                picture={picture}
                label={labelOf(session, picture, index)}
                onOpen={() => {
                  open.value = index;
                }}
              />
            </li>
          ))}
          {Array.from({ length: session.sending.value }, (_, index) => (
            <li key={`sending-${index}`} class="thumb thumb-sending">
              <span class="spinner" aria-hidden="true" />
              <span class="sr-only">{words.sending}</span>
            </li>
          ))}
        </ul>
        <p class="hint">{words.pictureHint}</p>
      </section>
      {/* Not inside: on a phone the panel may be put away while a pasted picture is looked at. */}
      {chosen.value && <PreviewDialog session={session} file={chosen.value} onClose={() => (chosen.value = null)} />}
      {open.value !== null && <Lightbox session={session} at={open.value} onMove={(to) => (open.value = to)} />}
    </>
  );
}

function labelOf(session: Session, picture: Picture, index: number): string {
  const words = t.value.counsel;
  return picture.from === session.entry.role ? words.pictureOfYours(index + 1) : words.pictureOf(index + 1, otherName(session));
}

function Thumb({ picture, label, onOpen }: { picture: Picture; label: string; onOpen: () => void }) {
  const gone = useSignal(false);
  return (
    <button type="button" class="thumb" data-testid="picture" data-from={picture.from} data-name={picture.name} aria-label={gone.value ? `${label}: ${t.value.counsel.pictureGone}` : label} title={label} disabled={gone.value} onClick={onOpen}>
      {gone.value ? <Icon name="alert" /> : <img src={FOLDER + picture.name} alt="" decoding="async" onError={() => (gone.value = true)} />}
    </button>
  );
}

/** What is about to be shown to the other, drawn: the page may load pictures from its server only. */
function PreviewDialog({ session, file, onClose }: { session: Session; file: File; onClose: () => void }) {
  const words = t.value.counsel;
  const canvas = useRef<HTMLCanvasElement>(null);
  const state = useSignal<'drawing' | 'drawn' | 'broken'>('drawing');
  useEffect(() => {
    let isWanted = true;
    createImageBitmap(file).then(
      (bitmap) => {
        const picture = canvas.current;
        if (isWanted && picture) {
          const scale = Math.min(1, 1280 / bitmap.width, 960 / bitmap.height);
          picture.width = Math.max(1, Math.round(bitmap.width * scale));
          picture.height = Math.max(1, Math.round(bitmap.height * scale));
          picture.getContext('2d')?.drawImage(bitmap, 0, 0, picture.width, picture.height);
          state.value = 'drawn';
        }
        bitmap.close();
      },
      () => {
        state.value = 'broken';
      },
    );
    return () => {
      isWanted = false;
    };
  }, [file]);
  return (
    <Dialog title={words.previewTitle} testId="picture-preview" onClose={onClose} wide>
      <figure class="preview-figure">
        <canvas ref={canvas} class="preview-canvas" role="img" aria-label={file.name} hidden={state.value === 'broken'} />
        {state.value === 'broken' && (
          <p class="wrong" role="alert">
            {words.pictureBroken}
          </p>
        )}
        <figcaption class="hint">
          {file.name} · {(file.size / 1024 / 1024).toFixed(file.size < 1024 * 1024 ? 2 : 1)} MB
        </figcaption>
      </figure>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          {t.value.app.cancel}
        </button>
        <button
          type="button"
          class="button button-main"
          data-testid="picture-send"
          disabled={state.value !== 'drawn'}
          onClick={() => {
            void session.sendPicture(file);
            onClose();
          }}
        >
          <Icon name="send" size={20} />
          {words.sendPicture(otherName(session))}
        </button>
      </div>
    </Dialog>
  );
}

function Lightbox({ session, at, onMove }: { session: Session; at: number; onMove: (to: number | null) => void }) {
  const words = t.value.counsel;
  const pictures = session.pictures.value;
  const picture = pictures[at];
  if (!picture) return null;
  const label = labelOf(session, picture, at);
  const step = (by: number) => () => onMove((at + by + pictures.length) % pictures.length);
  return (
    <Dialog title={label} testId="lightbox" onClose={() => onMove(null)} wide>
      <div
        class="lightbox"
        onKeyDown={(event) => {
          if (event.key === 'ArrowLeft') step(-1)();
          if (event.key === 'ArrowRight') step(1)();
        }}
      >
        <img src={FOLDER + picture.name} alt={label} />
        <div class="lightbox-tools">
          <button type="button" class="icon-button" aria-label={words.previousPicture} data-testid="lightbox-previous" disabled={pictures.length < 2} onClick={step(-1)}>
            <Icon name="left" />
          </button>
          <span class="pager-count">{`${at + 1} / ${pictures.length}`}</span>
          <button type="button" class="icon-button" aria-label={words.nextPicture} data-testid="lightbox-next" disabled={pictures.length < 2} onClick={step(1)}>
            <Icon name="right" />
          </button>
          <a class="button button-small" href={FOLDER + picture.name} download={picture.name} data-testid="lightbox-save">
            <Icon name="download" size={18} />
            {words.savePicture}
          </a>
        </div>
      </div>
    </Dialog>
  );
}

function usePasted(take: (file: File) => void): void {
  useEffect(() => {
    const pasted = ({ clipboardData }: ClipboardEvent): void => {
      const file = [...(clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'));
      if (file) take(file);
    };
    addEventListener('paste', pasted);
    return () => removeEventListener('paste', pasted);
  }, []);
}
