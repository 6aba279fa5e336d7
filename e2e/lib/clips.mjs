// What the fake cameras and microphones play: a y4m clip whose frames are marked, and a wav file that beeps at one frequency.
import { mkdtempSync, openSync, writeSync, closeSync, writeFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mark, paintI420, stampI420 } from './marks.mjs';

const directory = mkdtempSync(join(tmpdir(), 'madang-e2e-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

// Chromium plays the clip in a loop: a window of measurement must be shorter than the clip, or the same mark is seen twice.
export const videoClip = ({ sender, width = 640, height = 360, fps = 15, seconds = 20 }) => {
  const path = join(directory, `camera-${sender}-${width}x${height}@${fps}.y4m`);
  const file = openSync(path, 'w');
  writeSync(file, `YUV4MPEG2 W${width} H${height} F${fps}:1 Ip A1:1 C420jpeg\n`);
  const frame = Buffer.alloc((width * height * 3) / 2);
  for (let n = 0; n < fps * seconds; n += 1) {
    paintI420(frame, width, height, n);
    stampI420(frame, width, height, mark(sender, n));
    writeSync(file, 'FRAME\n');
    writeSync(file, frame);
  }
  closeSync(file);
  return path;
};

const RATE_HZ = 48000;

// One beep every half second. A steady tone would be taken away by the browser's own noise suppression.
export const beep = (frequencyHz, sample) => {
  const inPeriod = sample % (RATE_HZ / 2);
  const on = RATE_HZ * 0.3;
  if (inPeriod >= on) return 0;
  const ramp = Math.min(1, inPeriod / 480, (on - inPeriod) / 480);
  return 0.5 * ramp * Math.sin((2 * Math.PI * frequencyHz * sample) / RATE_HZ);
};

export const audioClip = ({ frequencyHz, seconds = 4 }) => {
  const path = join(directory, `tone-${frequencyHz}.wav`);
  const samples = RATE_HZ * seconds;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE_HZ, 24);
  wav.writeUInt32LE(RATE_HZ * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples * 2, 40);
  for (let n = 0; n < samples; n += 1) wav.writeInt16LE(Math.round(beep(frequencyHz, n) * 32767), 44 + n * 2);
  writeFileSync(path, wav);
  return path;
};
