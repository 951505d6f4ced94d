import { type Limits, limitExceeded } from './limits.js';

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/**
 * The lines of a byte stream with their ends, as many at a time as a piece of the stream completes. The last line may lack
 * its end. The buffers are views of the stream's.
 *
 * @throws InvalidFileError with the code `ERR_LIMIT_DOCUMENT` for a line longer than `limits.documentBytes`.
 */
export async function* byteLines(
  path: string,
  chunks: AsyncIterable<Buffer>,
  limits: Limits,
): AsyncGenerator<Buffer[]> {
  let pending: Buffer[] = [];
  let pendingLength = 0;
  let lineNumber = 1;
  for await (const chunk of chunks) {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = chunk.subarray(start, end + 1);
      lines.push(pendingLength === 0 ? line : Buffer.concat([...pending, line]));
      pending = [];
      pendingLength = 0;
      start = end + 1;
    }
    lineNumber += lines.length;
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingLength += chunk.length - start;
      if (pendingLength > limits.documentBytes) {
        throw limitExceeded(
          'documentBytes',
          'ERR_LIMIT_DOCUMENT',
          `Line ${lineNumber} of ${path} has more bytes`,
          limits,
        );
      }
    }
    yield lines;
  }
  if (pendingLength > 0) yield [Buffer.concat(pending)];
}

/** Without `\n` or `\r\n`. */
export function withoutLineEnd(line: Buffer): Buffer {
  let end = line.length;
  if (line[end - 1] === NEWLINE) end--;
  if (line[end - 1] === CARRIAGE_RETURN) end--;
  return line.subarray(0, end);
}
