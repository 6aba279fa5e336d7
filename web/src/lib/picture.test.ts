import { expect, it } from 'vitest';
import { PICTURE_BYTES_MAX, pictureTrouble } from './picture';

const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]);

it('takes what the server takes', async () => {
  const heads = [png, new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), 'GIF89a', 'GIF87a', 'RIFF\u0000\u0000\u0000\u0000WEBP'];
  for (const head of heads) expect(await pictureTrouble(new Blob([head]))).toBeNull();
});

it('refuses what is none, and what is too large', async () => {
  for (const other of ['', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'RIFF\u0000\u0000\u0000\u0000WAVE', '%PDF-1.7']) {
    expect(await pictureTrouble(new Blob([other], { type: 'image/png' }))).toBe('kind');
  }
  expect(await pictureTrouble(new Blob([png, new Uint8Array(PICTURE_BYTES_MAX)]))).toBe('too_large');
  expect(await pictureTrouble(new Blob([png, new Uint8Array(PICTURE_BYTES_MAX - png.length)]))).toBeNull();
});
