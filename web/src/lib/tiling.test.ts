import { describe, expect, it } from 'vitest';
import { type Box, grid, pageCapacity, speaker, tilingOptions } from './tiling';

const SIZES = [
  [1280, 640],
  [390, 620],
  [844, 300],
  [2560, 1300],
] as const;

function overlaps(a: Box, b: Box): boolean {
  return a.x + a.width > b.x + 0.01 && b.x + b.width > a.x + 0.01 && a.y + a.height > b.y + 0.01 && b.y + b.height > a.y + 0.01;
}

function checkLegal(boxes: Box[], width: number, height: number): void {
  for (const [index, box] of boxes.entries()) {
    expect(box.width).toBeGreaterThan(0);
    expect(box.x).toBeGreaterThanOrEqual(-0.01);
    expect(box.y).toBeGreaterThanOrEqual(-0.01);
    expect(box.x + box.width).toBeLessThanOrEqual(width + 0.01);
    expect(box.y + box.height).toBeLessThanOrEqual(height + 0.01);
    for (const other of boxes.slice(index + 1)) expect(overlaps(box, other)).toBe(false);
  }
}

describe('grid', () => {
  it('keeps 1 to 25 tiles inside, apart and in shape at every size', () => {
    for (const [width, height] of SIZES) {
      for (let count = 1; count <= 25; count++) {
        const options = tilingOptions(width, height, count);
        const boxes = grid(count, width, height, options);
        expect(boxes).toHaveLength(count);
        checkLegal(boxes, width, height);
        for (const box of boxes) {
          expect(box.width / box.height).toBeGreaterThanOrEqual(options.aspectMin - 0.001);
          expect(box.width / box.height).toBeLessThanOrEqual(options.aspectMax + 0.001);
        }
      }
    }
  });

  it('uses one column for two people on a phone and two rows for four on a desktop', () => {
    const phone = grid(2, 390, 620, tilingOptions(390, 620, 2));
    expect(phone[0]?.x).toBe(phone[1]?.x);
    const desktop = grid(4, 1280, 720, tilingOptions(1280, 720, 4));
    expect(new Set(desktop.map((box) => Math.round(box.y))).size).toBe(2);
  });

  it('centres an incomplete last row', () => {
    const boxes = grid(3, 1000, 800, tilingOptions(1000, 800, 3));
    const last = boxes[2] as Box;
    expect(last.x + last.width / 2).toBeCloseTo(500, 1);
  });

  it('has nothing to place without people or room', () => {
    expect(grid(0, 800, 600, tilingOptions(800, 600, 0))).toEqual([]);
    expect(grid(3, 0, 600, tilingOptions(800, 600, 3))).toEqual([]);
  });
});

describe('pageCapacity', () => {
  it('stays within 1 and 25, and 8 on a phone', () => {
    expect(pageCapacity(2560, 1300)).toBe(25);
    expect(pageCapacity(390, 700)).toBeLessThanOrEqual(8);
    expect(pageCapacity(60, 40)).toBe(1);
  });
});

describe('speaker', () => {
  it('puts the filmstrip right on a desktop and below on a phone, without overlap', () => {
    for (const [width, height] of SIZES) {
      for (const count of [0, 1, 4, 40]) {
        const layout = speaker(count, width, height, 10);
        checkLegal([layout.main, ...layout.strip], width, height);
        expect(layout.strip.length).toBe(Math.min(count, layout.stripCapacity));
      }
    }
    expect(speaker(3, 1280, 640, 10).side).toBe('right');
    expect(speaker(3, 390, 620, 10).side).toBe('bottom');
  });

  it('keeps room free for the page buttons', () => {
    for (const [width, height] of SIZES) {
      const { strip } = speaker(40, width, height, 10, 52);
      for (const box of strip) expect(box.y + box.height).toBeLessThanOrEqual(height - 52 + 0.01);
    }
  });

  it('gives everything to the main tile when nobody else is there', () => {
    expect(speaker(0, 800, 600, 10).main).toEqual({ x: 0, y: 0, width: 800, height: 600 });
  });
});
