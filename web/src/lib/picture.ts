/** Pictures that may be shown to the other: the server's own limits, so that it need not refuse what took long to send. */

export const PICTURE_BYTES_MAX = 10 * 1024 * 1024;
export const PICTURE_TYPES = 'image/png,image/jpeg,image/gif,image/webp';
/** Enough to know its kind by. */
const HEAD_BYTES = 12;

export async function pictureTrouble(file: Blob): Promise<'too_large' | 'kind' | null> {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  if (!isPicture(head)) return 'kind';
  return file.size > PICTURE_BYTES_MAX ? 'too_large' : null;
}

/** By its first bytes: what a file is called does not count. */
function isPicture(head: Uint8Array): boolean {
  const begins = (bytes: readonly number[], at = 0): boolean => bytes.every((byte, index) => head[at + index] === byte);
  const letters = (text: string): number[] => [...text].map((char) => char.charCodeAt(0));
  return (
    begins([0x89, ...letters('PNG\r\n'), 0x1a, 0x0a]) ||
    begins([0xff, 0xd8, 0xff]) ||
    begins(letters('GIF87a')) ||
    begins(letters('GIF89a')) ||
    (begins(letters('RIFF')) && begins(letters('WEBP'), 8))
  );
}
