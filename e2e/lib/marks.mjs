// Frame marks: every frame carries a 32-bit number as a grid of 16 x 9 black and white cells, which survives any codec and any scaled layer.
// Row 0 holds the high 16 bits (who sent it), row 1 the low 16 bits (which frame), row 2 is NOT(row 0 XOR row 1): the check.
// The other rows are a moving picture, so that the encoder has work to do.

export const COLUMNS = 16;
export const ROWS = 9;
const MARK_ROWS = 3;

export const mark = (sender, frame) => ((sender & 0xffff) * 0x10000) + (frame & 0xffff);
export const senderOf = (id) => Math.floor(id / 0x10000);
export const frameOf = (id) => id & 0xffff;

export const rowsOf = (id) => {
  const high = Math.floor(id / 0x10000) & 0xffff;
  const low = id & 0xffff;
  return [high, low, ~(high ^ low) & 0xffff];
};

// Writes the mark into a luma plane (video range), and greys the chroma below it when the planes of an I420 frame are given.
export const stampI420 = (buffer, width, height, id) => {
  const rows = rowsOf(id);
  const chroma = width * height;
  const chromaWidth = width >> 1;
  const chromaSize = chromaWidth * (height >> 1);
  for (let r = 0; r < MARK_ROWS; r += 1) {
    const top = Math.floor((r * height) / ROWS);
    const bottom = Math.floor(((r + 1) * height) / ROWS);
    const line = Buffer.alloc(width);
    for (let c = 0; c < COLUMNS; c += 1) {
      const bit = (rows[r] >> (15 - c)) & 1;
      line.fill(bit ? 0xeb : 0x10, Math.floor((c * width) / COLUMNS), Math.floor(((c + 1) * width) / COLUMNS));
    }
    for (let y = top; y < bottom; y += 1) line.copy(buffer, y * width);
    for (const plane of [0, 1]) {
      const base = chroma + plane * chromaSize;
      buffer.fill(0x80, base + (top >> 1) * chromaWidth, base + (bottom >> 1) * chromaWidth);
    }
  }
};

// Reads a mark out of a luma plane; -1 when the check row does not match.
export const readLuma = (luma, stride, width, height) => {
  const rows = [0, 0, 0];
  for (let r = 0; r < MARK_ROWS; r += 1) {
    for (let c = 0; c < COLUMNS; c += 1) {
      let sum = 0;
      for (let j = 0; j < 3; j += 1) {
        for (let i = 0; i < 3; i += 1) {
          const x = Math.floor(((c + 0.35 + 0.15 * i) * width) / COLUMNS);
          const y = Math.floor(((r + 0.35 + 0.15 * j) * height) / ROWS);
          sum += luma[y * stride + x];
        }
      }
      rows[r] = rows[r] * 2 + (sum / 9 > 128 ? 1 : 0);
    }
  }
  return (~(rows[0] ^ rows[1]) & 0xffff) === rows[2] ? rows[0] * 0x10000 + rows[1] : -1;
};

// A moving test picture: a gradient that scrolls and a box that wanders.
export const paintI420 = (buffer, width, height, frame) => {
  const chroma = width * height;
  const line = Buffer.alloc(width * 2);
  for (let x = 0; x < width * 2; x += 1) line[x] = 40 + Math.floor((x % 256) * 0.6);
  for (let y = 0; y < height; y += 1) {
    const shift = (frame * 3 + (y >> 4) * 11) % width;
    line.copy(buffer, y * width, shift, shift + width);
  }
  const side = height >> 2;
  const left = (frame * 5) % (width - side);
  const top = Math.floor(height * 0.4) + ((frame * 3) % Math.max(1, Math.floor(height * 0.6) - side));
  for (let y = top; y < top + side; y += 1) buffer.fill(200, y * width + left, y * width + left + side);
  buffer.fill(110, chroma, chroma + chroma / 4);
  buffer.fill(140, chroma + chroma / 4, chroma + chroma / 2);
};
