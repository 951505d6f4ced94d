/**
 * The folder a training run leaves behind: `model/` (after every epoch as it was then), `run.json` with what the run was
 * told and found, `history.json` with its curves, and after a run on images `pixels.json`, by which they were
 * standardized.
 */

import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFileError } from '../errors.js';
import type { FinishedRun } from '../experiments/recipe.js';
import { cannotRead, cannotWrite, makeFolder } from '../file-access.js';
import type { PixelStatistics } from '../images/index.js';

/** What `run.json` holds: enough to find the validation part of the same data again. */
export interface RunRecord extends FinishedRun {
  readonly version: string;
  readonly recipe: string;
  readonly device: string;
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
    await makeFolder(folder);
    present = await readdir(folder);
  } catch (cause) {
    throw cannotWrite(folder, cause);
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
    throw cannotWrite(path, cause);
  }
}

/**
 * The record of a run.
 *
 * @throws FileAccessError if the folder has none; InvalidFileError if it is no record.
 */
export async function readRunRecord(folder: string): Promise<RunRecord> {
  const { path, value } = await readRunFile(folder, 'run.json');
  if (!isRunRecord(value)) throw new InvalidFileError('ERR_RUN_RECORD', `${path} is not the record of a training run`);
  return value;
}

/** By what a run on images standardized them. @throws as {@link readRunRecord} */
export async function readPixelStatistics(folder: string): Promise<PixelStatistics> {
  const { path, value } = await readRunFile(folder, 'pixels.json');
  if (!arePixelStatistics(value)) {
    throw new InvalidFileError('ERR_RUN_PIXELS', `${path} does not hold the mean and deviation of each pixel`);
  }
  return value;
}

async function readRunFile(folder: string, name: string): Promise<{ path: string; value: Record<string, unknown> }> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw cannotRead(path, cause);
  }
  const value = parsed(text);
  return { path, value: typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {} };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRunRecord(value: Record<string, unknown>): value is Record<string, unknown> & RunRecord {
  const { recipe, samples, seed, options, classNames } = value;
  return (
    typeof recipe === 'string' &&
    Number.isSafeInteger(samples) &&
    Number.isSafeInteger(seed) &&
    typeof options === 'object' &&
    options !== null &&
    Array.isArray(classNames) &&
    classNames.every((name) => typeof name === 'string')
  );
}

function arePixelStatistics(value: Record<string, unknown>): value is Record<string, unknown> & PixelStatistics {
  const { height, width, mean, deviation } = value;
  return [mean, deviation].every(
    (list) =>
      Array.isArray(list) &&
      list.length === Number(height) * Number(width) &&
      list.every((number) => Number.isFinite(number)),
  );
}
