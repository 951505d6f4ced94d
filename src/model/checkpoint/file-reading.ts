import { type FileHandle, open } from 'node:fs/promises';
import { FileAccessError, InvalidFileError } from '../../errors.js';
import { cannotRead } from '../../file-access.js';

/** Opens a file for `read`; what the system refuses becomes a FileAccessError. */
export async function withFile<Result>(
  path: string,
  read: (file: FileHandle, size: number) => Promise<Result>,
): Promise<Result> {
  const file = await accessed(path, () => open(path, 'r'));
  try {
    const info = await accessed(path, () => file.stat());
    if (!info.isFile()) throw new FileAccessError(`Cannot read ${path}: it is no file`);
    return await read(file, info.size);
  } finally {
    await file.close();
  }
}

async function accessed<Result>(path: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === undefined ? cause : cannotRead(path, cause);
  }
}

// Pieces in which files are read, so that no single call is as large as the file.
const PIECE = 16 * 1024 * 1024;

/**
 * Fills `bytes` from `position` on.
 *
 * @throws InvalidFileError with `code` where the file ends before.
 */
export async function readFully(
  file: FileHandle,
  path: string,
  bytes: Uint8Array,
  position: number,
  code: string,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const length = Math.min(PIECE, bytes.length - done);
    const { bytesRead } = await accessed(path, () => file.read(bytes, done, length, position + done));
    if (bytesRead === 0) throw new InvalidFileError(code, `${path} ends ${bytes.length - done} bytes too early`);
    done += bytesRead;
  }
}

/**
 * The text of a small file, UTF-8 throughout.
 *
 * @param codes of the errors for a file that is too large and for bytes that are no UTF-8
 */
export async function readText(
  path: string,
  mostBytes: number,
  codes: { readonly tooLarge: string; readonly encoding: string },
): Promise<string> {
  const bytes = await withFile(path, async (file, size) => {
    if (size > mostBytes) {
      throw new InvalidFileError(codes.tooLarge, `${path} has ${size} bytes; at most ${mostBytes} are read`);
    }
    const content = new Uint8Array(size);
    await readFully(file, path, content, 0, codes.encoding);
    return content;
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InvalidFileError(codes.encoding, `${path} is no UTF-8 text`, { cause });
  }
}
