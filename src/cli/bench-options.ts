/** What `slim-lstm bench` is asked: sizes, variants, and where its picture goes. */

import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidArgumentError as WrongUsage } from 'commander';
import { InvalidArgumentError } from '../errors.js';
import { cannotWrite } from '../file-access.js';
import { resolveVariant, type Variant, variants } from '../variants.js';
import { readVariants } from './variant-file.js';

/** The variant that the others are compared with. */
export const BASE = 'LSTM';

export interface BenchSize {
  readonly steps: number;
  readonly batch: number;
  readonly inputSize: number;
  readonly units: number;
}

export const usualSizes: readonly BenchSize[] = [
  { steps: 128, batch: 64, inputSize: 128, units: 128 },
  { steps: 128, batch: 64, inputSize: 100, units: 256 },
  { steps: 256, batch: 32, inputSize: 128, units: 512 },
];

export function sizeText({ steps, batch, inputSize, units }: BenchSize): string {
  return `T ${steps}, B ${batch}, m ${inputSize}, n ${units}`;
}

/** `T,B,m,n`, added to those given before. */
export function sizesReader(text: string, before: readonly BenchSize[] = []): BenchSize[] {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const [steps, batch, inputSize, units] = numbers;
  if (numbers.length !== 4 || numbers.some((number) => !Number.isSafeInteger(number) || number < 1)) {
    throw new WrongUsage('Expected four positive integers T,B,m,n, such as 128,64,128,256.');
  }
  return [...before, { steps, batch, inputSize, units } as BenchSize];
}

/** Names between commas. */
export function namesReader(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** Adds a file to those given before. */
export function filesReader(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * The variants to time: those named (all published ones where nothing is named or read), those of the files, and first
 * of all the standard LSTM, which the others are compared with.
 *
 * @throws InvalidArgumentError for unknown names and for names given twice; what the files' readers throw.
 */
export async function wantedVariants(
  names: readonly string[] | undefined,
  files: readonly string[],
): Promise<Variant[]> {
  const published = names ?? (files.length === 0 ? Object.keys(variants) : []);
  const named = published.filter((name) => name !== BASE).map((name) => resolveVariant(name));
  const wanted = [resolveVariant(BASE), ...named];
  for (const file of files) wanted.push(...(await readVariants(file)));
  const seen = new Set<string>();
  for (const { name } of wanted) {
    if (seen.has(name))
      throw new InvalidArgumentError(`Expected distinct names of variants but received ${name} twice`);
    seen.add(name);
  }
  return wanted;
}

/** So that a long run does not end in a picture that cannot be written. @throws FileAccessError */
export async function checkWritable(file: string): Promise<void> {
  try {
    await access(dirname(file), constants.W_OK);
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
}
