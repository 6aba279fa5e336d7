/** What other people write must stay text. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = new URL('.', import.meta.url).pathname;
const FORBIDDEN = ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'dangerouslySetInnerHTML', 'document.write', 'eval(', 'new Function', 'srcdoc', 'DOMParser'];

it('no source turns text into markup or code', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.test.ts'));
  expect(files.length).toBeGreaterThan(30);
  for (const file of files) {
    const source = readFileSync(join(ROOT, file), 'utf8');
    for (const word of FORBIDDEN) expect(source.includes(word), `${file} uses ${word}`).toBe(false);
  }
});

it('the page loads nothing from elsewhere and carries no inline script or style', () => {
  const page = readFileSync(join(ROOT, '../index.html'), 'utf8');
  expect(page).not.toMatch(/https?:\/\//);
  expect(page).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)/);
});
