import { isUtf8 } from 'node:buffer';
import { InvalidFileError } from '../errors.js';
import type { Limits } from './limits.js';
import { byteLines } from './lines.js';

export type Encoding = 'utf-8' | 'latin1';

const NEWLINE = 10;

/**
 * `bytes` as text; they begin with line `firstLine` of `source`. A byte order mark in front of UTF-8 is no part of the text.
 *
 * @throws InvalidFileError with the code `ERR_TEXT_ENCODING`, naming `source` and the first line that is not UTF-8.
 */
export function decodeText(bytes: Buffer, encoding: Encoding, source: string, firstLine = 1): string {
  if (encoding === 'latin1') return bytes.toString('latin1');
  if (!isUtf8(bytes)) {
    throw new InvalidFileError(
      'ERR_TEXT_ENCODING',
      `${source} is not UTF-8 in line ${firstLine + linesBeforeBad(bytes)}; if it is older text, its encoding may be latin1`,
    );
  }
  return (firstLine === 1 ? withoutMark(bytes) : bytes).toString('utf8');
}

/**
 * The text of a byte stream in pieces that end where lines end, so that no character is cut.
 *
 * @throws InvalidFileError with the code `ERR_TEXT_ENCODING`, or `ERR_LIMIT_DOCUMENT` for a line longer than
 *   `limits.documentBytes`.
 */
export async function* textPieces(
  source: string,
  chunks: AsyncIterable<Buffer>,
  encoding: Encoding,
  limits: Limits,
): AsyncGenerator<string> {
  let firstLine = 1;
  for await (const lines of byteLines(source, chunks, limits)) {
    if (lines.length === 0) continue;
    const piece = Buffer.concat(lines);
    yield decodeText(piece, encoding, source, firstLine);
    firstLine += lines.length;
  }
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function linesBeforeBad(bytes: Buffer): number {
  let lines = 0;
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return lines;
    start = end + 1;
    lines++;
  }
}

/** `\r\n` and a lone `\r` as `\n`: what Python 3 reads from a file in text mode. */
export function universalNewlines(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/**
 * The text from its first empty line on, that line included; a text that has none, or begins with it, stays whole. It
 * takes the headers from a post, by the rule of Keras' example `pretrained_word_embeddings.py`
 * (`i = t.find('\n\n'); if 0 < i: t = t[i:]`).
 */
export function withoutHeaders(text: string): string {
  const end = text.indexOf('\n\n');
  return end > 0 ? text.slice(end) : text;
}
