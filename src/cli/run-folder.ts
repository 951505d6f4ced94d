/**
 * The folder a training run leaves behind: `model/` (after every epoch as it was then), `run.json` with what the run was
 * told and found, `history.json` with its curves.
 */

import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileAccessError, InvalidArgumentError, InvalidFileError } from '../errors.js';

/** What `run.json` holds: enough to find the validation part of the same data again. */
export interface RunRecord {
  readonly version: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly device: string;
  readonly documents: number;
  readonly seed: number;
  readonly validationSplit: number;
  readonly classNames: readonly string[];
}

export const modelIn = (folder: string) => join(folder, 'model');

/**
 * Makes the folder, or takes an empty one.
 *
 * @throws InvalidArgumentError if it holds files and `overwrite` is not set; FileAccessError if it cannot be made.
 */
export async function prepareRunFolder(folder: string, overwrite: boolean): Promise<void> {
  let present: string[];
  try {
    await mkdir(folder, { recursive: true });
    present = await readdir(folder);
  } catch (cause) {
    throw new FileAccessError(`Cannot write to the folder ${folder}: ${(cause as Error).message}`, { cause });
  }
  if (present.length > 0 && !overwrite) {
    throw new InvalidArgumentError(`The folder ${folder} is not empty; name another with --out, or add --overwrite`);
  }
}

/** Writes `<name>` as JSON, whole or not at all. @throws FileAccessError */
export async function writeRunFile(folder: string, name: string, content: object): Promise<void> {
  const path = join(folder, name);
  try {
    await writeFile(`${path}.part`, `${JSON.stringify(content, null, 2)}\n`);
    await rename(`${path}.part`, path);
  } catch (cause) {
    throw new FileAccessError(`Cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * The record of a run.
 *
 * @throws FileAccessError if the folder has none; InvalidFileError if it is no record.
 */
export async function readRunRecord(folder: string): Promise<RunRecord> {
  const path = join(folder, 'run.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FileAccessError(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const record = parsed(text);
  if (!isRunRecord(record)) throw new InvalidFileError('ERR_RUN_RECORD', `${path} is not the record of a training run`);
  return record;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRunRecord(value: unknown): value is RunRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { documents, seed, validationSplit, classNames } = value as Partial<Record<keyof RunRecord, unknown>>;
  return (
    Number.isSafeInteger(documents) &&
    Number.isSafeInteger(seed) &&
    typeof validationSplit === 'number' &&
    Array.isArray(classNames) &&
    classNames.every((name) => typeof name === 'string')
  );
}
