/**
 * A folder written as a whole: into a new folder beside the old one, each file and the folder made durable, then put in
 * the old one's place. Whatever fails before that leaves the old folder as it was.
 */

import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { FileAccessError } from '../../errors.js';
import { makeFolder, reasonOf } from '../../file-access.js';

/** Writes a file of the folder, durably, from its bytes in pieces. */
export type FileWriter = (name: string, pieces: readonly Uint8Array[]) => Promise<void>;

/**
 * Replaces the folder at `path` by one with the files that `write` writes.
 *
 * @param owned names of files that a folder of this kind may hold; one that holds others is not replaced
 * @param writeFile what puts bytes on the disk
 * @throws FileAccessError where the system refuses, the disk is full, or the folder holds other files.
 */
export async function replaceFolder(
  path: string,
  owned: readonly string[],
  write: (writeFile: FileWriter) => Promise<void>,
  writeFile: (path: string, pieces: readonly Uint8Array[]) => Promise<void> = writeDurably,
): Promise<void> {
  const target = resolve(path);
  const parent = dirname(target);
  const temporary = join(parent, `.${basename(target)}.${randomUUID()}.tmp`);
  try {
    await checkReplaceable(target, owned);
    await makeFolder(temporary);
    await write((name, pieces) => writeFile(join(temporary, name), pieces));
    await synchronize(temporary);
    await swap(temporary, target);
    await synchronize(parent);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof FileAccessError || typeof code !== 'string' || !('syscall' in (cause as object))) throw cause;
    throw new FileAccessError(`Cannot write ${path}: ${reasonOf(cause)}; what was there is as before`, { cause });
  }
}

/** Where a folder waits while the new one takes its place; one that is found here alone is a save that was cut short. */
export function previousFolder(path: string): string {
  const target = resolve(path);
  return join(dirname(target), `.${basename(target)}.previous`);
}

async function checkReplaceable(target: string, owned: readonly string[]): Promise<void> {
  let names: string[];
  try {
    names = await readdir(target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    if (code === 'ENOTDIR') throw new FileAccessError(`Cannot write ${target}: there is a file of that name`);
    throw error;
  }
  const foreign = names.find((name) => !owned.includes(name));
  if (foreign !== undefined) {
    throw new FileAccessError(
      `Cannot write ${target}: the folder holds ${foreign}, which is no part of a saved model; name a new folder`,
    );
  }
}

// A folder with files in it cannot be replaced in one step; between the two renames `previousFolder` is the valid one.
async function swap(temporary: string, target: string): Promise<void> {
  const previous = previousFolder(target);
  const replaces = await exists(target);
  if (replaces) {
    await rm(previous, { recursive: true, force: true });
    await rename(target, previous);
  }
  try {
    await rename(temporary, target);
  } catch (error) {
    if (replaces) await rename(previous, target);
    throw error;
  }
  await rm(previous, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function writeDurably(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable, on systems where folders can be opened. */
async function synchronize(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
