/** The shared note on the wire is markup, as the pages of other programs read and write it; here it is plain text and nothing else. */

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
const ESCAPED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '\n': '<br>' };

export function toMarkup(text: string): string {
  return text.replace(/[&<>"'\n]/g, (char) => ESCAPED[char] ?? char);
}

/** Tags go, line breaks stay, what is not to be read (scripts, styles, comments) goes with all that is in it. Only ever shown as text. */
export function fromMarkup(markup: string): string {
  return plain(
    markup
      .replace(/\r\n?/g, '\n')
      .replace(/<!--[\s\S]*?(?:-->|$)/g, '')
      .replace(/<(script|style|template|title)\b[\s\S]*?(?:<\/\1\s*>|$)/gi, '')
      .replace(/<(?:br|hr)\b[^>]*>/gi, '\n')
      // A block begins a line of its own, unless it stands where one begins.
      .replace(/<\/(?:p|div|li|h[1-6]|tr|blockquote|pre)\s*>(?=.)/gi, '\n')
      .replace(/(\S)<(?:p|div|ul|ol|h[1-6]|table|blockquote|pre)\b[^>]*>/gi, '$1\n')
      .replace(/<\/?[a-z][^>]*(?:>|$)/gi, '')
      .replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,8}));/gi, (whole, hex: string, decimal: string, name: string) => {
        if (name) return NAMED[name.toLowerCase()] ?? whole;
        const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
        return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : '';
      }),
  );
}

const HALF_LETTERS = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Without signs that are no writing, and without half letters: no reader of JSON takes them. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '').replace(HALF_LETTERS, '\ufffd');
}
