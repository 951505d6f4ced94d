/** Parts of an SVG picture as text. */

/** Text as XML takes it, in content and in attributes; characters that XML does not know are left out. */
export function xmlText(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be found
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&apos;')
  );
}

export interface TextPlace {
  readonly x: number;
  readonly y: number;
  /** Of the picture's style. */
  readonly class: string;
}

export function textElement({ x, y, class: name }: TextPlace, text: string): string {
  return `<text x="${rounded(x)}" y="${rounded(y)}" class="${name}">${xmlText(text)}</text>`;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly class: string;
}

export function boxElement({ x, y, width, height, class: name }: Box, title?: string): string {
  const place = `x="${rounded(x)}" y="${rounded(y)}" width="${rounded(width)}" height="${rounded(height)}"`;
  if (title === undefined) return `<rect ${place} class="${name}"/>`;
  return `<rect ${place} class="${name}"><title>${xmlText(title)}</title></rect>`;
}

/** A hundredth of a pixel is finer than anyone sees. */
function rounded(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** How wide a text is at the most, about, in pixels: of the usual sans-serifs DejaVu's is the widest. */
export function textWidth(text: string, size: number): number {
  return 0.62 * size * text.length;
}
