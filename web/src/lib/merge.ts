/** Two people write into one text: their changes to what both had seen, put together. Pure, and the same wherever it runs. */

interface Splice {
  from: number;
  to: number;
  text: string;
}

/** Beyond this many comparisons of lines the lines between what is common count as one change. */
const COMPARISONS_MAX = 250_000;

/** `first`'s words come first where both wrote at one place. */
export function merge(base: string, first: string, second: string): string {
  if (first === second || second === base) return first;
  if (first === base) return second;
  const [lines, a, b] = [linesOf(base), linesOf(first), linesOf(second)];
  const [inA, inB] = [common(lines, a), common(lines, b)];
  let merged = '';
  let at = { base: 0, a: 0, b: 0 };
  const chunk = (end: typeof at): void => {
    merged += mergePart(lines.slice(at.base, end.base).join(''), a.slice(at.a, end.a).join(''), b.slice(at.b, end.b).join(''));
  };
  for (let index = 0; index < lines.length; index++) {
    const [atA, atB] = [inA.get(index), inB.get(index)];
    if (atA === undefined || atB === undefined) continue;
    chunk({ base: index, a: atA, b: atB });
    merged += lines[index];
    at = { base: index + 1, a: atA + 1, b: atB + 1 };
  }
  chunk({ base: lines.length, a: a.length, b: b.length });
  return merged;
}

/** Two texts of which nothing is known that both had seen: nothing of either is lost, and nothing stands there twice. */
export function join(first: string, second: string): string {
  if (first.includes(second)) return first;
  if (second.includes(first)) return second;
  return lined(first) + second;
}

/** Where a caret belongs when the text around it changes. */
export function moved(caret: number, before: string, after: string): number {
  const { from, to, text } = spliceOf(before, after);
  if (caret <= from) return caret;
  return caret >= to ? caret + text.length - (to - from) : from + text.length;
}

function mergePart(base: string, first: string, second: string): string {
  if (first === second || second === base) return first;
  if (first === base) return second;
  // Where nothing was both began lines of their own.
  if (base === '') return second.startsWith(first) ? second : first.startsWith(second) ? first : lined(first) + second;
  const [a, b] = [spliceOf(base, first), spliceOf(base, second)];
  const nested = b.text.startsWith(a.text) ? b.text : a.text.startsWith(b.text) ? a.text : null;
  const atOnePlace = a.from === b.from && (a.to === b.to || nested !== null);
  if (!atOnePlace && a.to <= b.from) return base.slice(0, a.from) + a.text + base.slice(a.to, b.from) + b.text + base.slice(b.to);
  if (!atOnePlace && b.to <= a.from) return base.slice(0, b.from) + b.text + base.slice(b.to, a.from) + a.text + base.slice(a.to);
  return base.slice(0, Math.min(a.from, b.from)) + (nested ?? a.text + b.text) + base.slice(Math.max(a.to, b.to));
}

function spliceOf(before: string, after: string): Splice {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  // Half a letter is none: a pair of surrogates stays together.
  if (head > 0 && isHigh(before.charCodeAt(head - 1))) head--;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  if (tail > 0 && isLow(before.charCodeAt(before.length - tail))) tail--;
  return { from: head, to: before.length - tail, text: after.slice(head, after.length - tail) };
}

function lined(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

/** Which line of `after` is which of `before`: a longest common subsequence, between equal ends. */
function common(before: readonly string[], after: readonly string[]): Map<number, number> {
  const pairs = new Map<number, number>();
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) {
    pairs.set(head, head);
    head++;
  }
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) {
    tail++;
    pairs.set(before.length - tail, after.length - tail);
  }
  const [rows, columns] = [before.length - tail - head, after.length - tail - head];
  if (rows * columns > COMPARISONS_MAX) return pairs;
  const longest = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  const cell = (row: number, column: number): number => longest[row]?.[column] ?? 0;
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const same = before[head + row] === after[head + column];
      longest[row]?.set([same ? cell(row + 1, column + 1) + 1 : Math.max(cell(row + 1, column), cell(row, column + 1))], column);
    }
  }
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (before[head + row] === after[head + column]) pairs.set(head + row++, head + column++);
    else if (cell(row + 1, column) >= cell(row, column + 1)) row++;
    else column++;
  }
  return pairs;
}
