import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FileAccessError, InvalidFileError, SlimLstmError } from '../errors.js';
import { cannotRead } from '../file-access.js';
import { type Limits, limitExceeded } from './limits.js';

const CHUNK = 65536;
// Below this much output a high ratio is a small file, not a bomb.
const RATIO_FROM = 2 ** 24;

/**
 * The bytes of a file in pieces of at most 64 KiB; a gzip file, known by its first bytes, comes unpacked.
 *
 * @throws FileAccessError if the file cannot be opened or read.
 * @throws InvalidFileError with the code `ERR_GZIP_TRUNCATED`, `ERR_GZIP_CORRUPT`, `ERR_LIMIT_BYTES` or `ERR_LIMIT_RATIO`.
 */
export async function* byteStream(path: string, limits: Limits, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const file = await openFile(path);
  try {
    const source = file.createReadStream({ start: 0, highWaterMark: CHUNK, autoClose: false });
    const chunks = (await isGzip(file)) ? pipeline(source, createGunzip({ chunkSize: CHUNK }), () => {}) : source;
    let total = 0;
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      total += chunk.length;
      if (total > limits.totalBytes) {
        throw limitExceeded('totalBytes', 'ERR_LIMIT_BYTES', `${path} holds more bytes`, limits);
      }
      if (total > RATIO_FROM && total > limits.ratio * source.bytesRead) {
        throw limitExceeded(
          'ratio',
          'ERR_LIMIT_RATIO',
          `${path} unpacks to more bytes for each compressed byte`,
          limits,
        );
      }
      yield chunk;
    }
  } catch (cause) {
    throw readError(path, cause, signal);
  } finally {
    await file.close();
  }
}

/** The system's error as ours; errors that are ours already, and those of the signal, pass. */
export function readError(path: string, cause: unknown, signal?: AbortSignal): unknown {
  if (cause instanceof SlimLstmError || (signal?.aborted && cause === signal.reason)) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR') {
    return new InvalidFileError('ERR_GZIP_TRUNCATED', `${path} ends in the middle of its compressed data`, { cause });
  }
  if (code?.startsWith('Z_')) {
    return new InvalidFileError('ERR_GZIP_CORRUPT', `The compressed data of ${path} is damaged: ${message}`, { cause });
  }
  return code === undefined ? cause : cannotRead(path, cause);
}

/** Whether a file can be opened, asked before longer work that needs it. @throws as {@link byteStream} */
export async function checkReadable(path: string): Promise<void> {
  await (await openFile(path)).close();
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
  } catch (cause) {
    await file?.close();
    throw readError(path, cause);
  }
  await file.close();
  throw new FileAccessError(`Cannot read ${path}: it is no regular file`);
}

async function isGzip(file: FileHandle): Promise<boolean> {
  const magic = Buffer.alloc(2);
  const { bytesRead } = await file.read(magic, 0, 2, 0);
  return bytesRead === 2 && magic[0] === 0x1f && magic[1] === 0x8b;
}
