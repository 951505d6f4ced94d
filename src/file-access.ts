/** What the system says of files and folders, in words; and folders made as they are wanted. */

import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FileAccessError } from './errors.js';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  EEXIST: 'there is a file of that name',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system can only be read',
};

/** The system's error `cause` in words. */
export function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}

/** The error for a file or folder at `path` that the system did not let be read. */
export function cannotRead(path: string, cause: unknown): FileAccessError {
  return new FileAccessError(`Cannot read ${path}: ${reasonOf(cause)}`, { cause });
}

/** The error for a file or folder at `path` that the system did not let be written. */
export function cannotWrite(path: string, cause: unknown): FileAccessError {
  return new FileAccessError(`Cannot write ${path}: ${reasonOf(cause)}`, { cause });
}

/**
 * Makes a folder and those above it that are missing; one that is there already is left as it is. `mkdir`'s `recursive`
 * would try for ever below a folder that takes no entries, such as /proc.
 *
 * @throws the system's error.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await isFolder(path))) return;
    if (code !== 'ENOENT' || (await isFolder(dirname(path)))) throw error;
    await makeFolder(dirname(path));
    await makeFolder(path);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
