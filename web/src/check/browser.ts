/** Which browser this is, as far as it says so, and whether it is known to be too old for calls here. */

export interface Browser {
  name: 'Chrome' | 'Edge' | 'Firefox' | 'Safari' | 'Samsung Internet' | 'Opera';
  version: string;
  isOld: boolean;
}

/** In the order in which they are asked: many call themselves by the names of others, too. The least versions know the language that the app is written in. */
const KNOWN: ReadonlyArray<{ name: Browser['name']; mark: RegExp; least: readonly [number, number] }> = [
  { name: 'Edge', mark: /\bEdg(?:A|iOS)?\/(\d+)\.(\d+)/, least: [94, 0] },
  { name: 'Opera', mark: /\bOPR\/(\d+)\.(\d+)/, least: [80, 0] },
  { name: 'Samsung Internet', mark: /\bSamsungBrowser\/(\d+)\.(\d+)/, least: [17, 0] },
  { name: 'Firefox', mark: /\b(?:Firefox|FxiOS)\/(\d+)\.(\d+)/, least: [93, 0] },
  { name: 'Chrome', mark: /\b(?:Chrome|Chromium|HeadlessChrome|CriOS)\/(\d+)\.(\d+)/, least: [94, 0] },
  { name: 'Safari', mark: /\bVersion\/(\d+)\.(\d+).* Safari\//, least: [16, 4] },
];

export function browserOf(userAgent: string): Browser | null {
  for (const { name, mark, least } of KNOWN) {
    const [, major, minor] = mark.exec(userAgent) ?? [];
    if (major === undefined || minor === undefined) continue;
    const isOld = Number(major) < least[0] || (Number(major) === least[0] && Number(minor) < least[1]);
    return { name, version: `${major}.${minor}`, isOld };
  }
  return null;
}
