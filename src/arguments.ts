/**
 * Checks of options and arguments. Each returns the value with its type, or throws an {@link InvalidArgumentError} that
 * names what was expected and what came; `name` is the word of the caller for the value.
 */

import { InvalidArgumentError } from './errors.js';
import { expectation } from './expectation.js';
import { nearestName } from './nearest-name.js';

/** Sizes are 32-bit on the native side; a product of several is checked where it is made. */
const LARGEST_SIZE = 2 ** 31 - 1;

/**
 * An object of options with no names but those in `allowed`; `undefined` stands for none at all.
 *
 * @param where what takes the options, as in "layers.conv1d"
 */
export function checkedOptions<Options extends object>(
  options: Options | undefined,
  allowed: readonly (keyof Options & string)[],
  where: string,
): Options {
  if (options === undefined) return {} as Options;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(expectation('an object', `the options of ${where}`, options));
  }
  const known: readonly string[] = allowed;
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const remedy = known.length === 0 ? 'it takes none' : `did you mean ${nearestName(key, known)}?`;
    throw new InvalidArgumentError(`Unknown option ${key} for ${where}; ${remedy}`);
  }
  return options;
}

export function positiveInteger(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > LARGEST_SIZE) {
    throw new InvalidArgumentError(expectation('a positive integer', name, value));
  }
  return value as number;
}

export function nonNegativeInteger(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new InvalidArgumentError(expectation('an integer of 0 or more', name, value));
  }
  return value as number;
}

/** The rate of a dropout: in [0, 1). */
export function dropoutRate(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value < 1)) {
    throw new InvalidArgumentError(expectation('a number of 0 or more and below 1', name, value));
  }
  return value;
}

export function finiteNumber(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new InvalidArgumentError(expectation('a finite number', name, value));
  }
  return value;
}

export function positiveNumber(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError(expectation('a positive number', name, value));
  }
  return value;
}

export function nonNegativeNumber(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError(expectation('a number of 0 or more', name, value));
  }
  return value;
}

export function boolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new InvalidArgumentError(expectation('a boolean', name, value));
  return value;
}

export function nonEmptyString(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new InvalidArgumentError(expectation('a non-empty string', name, value));
  }
  return value;
}

/** One of a set of names; the error of an unknown one proposes the nearest. */
export function choice<Name extends string>(value: unknown, name: string, choices: readonly Name[]): Name {
  if ((choices as readonly unknown[]).includes(value)) return value as Name;
  const message = expectation(`one of ${choices.join(', ')}`, name, value);
  if (typeof value !== 'string' || choices.length < 2) throw new InvalidArgumentError(message);
  throw new InvalidArgumentError(`${message}; did you mean ${nearestName(value, choices)}?`);
}
