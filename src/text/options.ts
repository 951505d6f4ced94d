import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import { nearestName } from '../nearest-name.js';

/** The checks that the options of this folder share; each throws `InvalidArgumentError` naming the option. */

export function checkOptionNames(owner: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(expectation('an object', `the options of ${owner}`, options));
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new InvalidArgumentError(
      `Unknown option ${name} for ${owner}; did you mean ${nearestName(name, known)}? Known are ${known.join(', ')}`,
    );
  }
}

export function checkPositiveInteger(name: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new InvalidArgumentError(expectation('a positive integer', name, value));
  }
}

/** Infinity is allowed: it means "no limit". */
export function checkLimit(name: string, value: unknown): void {
  if (value !== Number.POSITIVE_INFINITY) checkPositiveInteger(name, value);
}

export function checkString(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new InvalidArgumentError(expectation('a string', name, value));
}

export function checkNonEmptyString(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') {
    throw new InvalidArgumentError(expectation('a string of one character or more', name, value));
  }
}

export function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new InvalidArgumentError(expectation('true or false', name, value));
}

export function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  const expected = choices.map((choice) => `'${choice}'`).join(' or ');
  throw new InvalidArgumentError(expectation(expected, name, value));
}

/** A list of class names: distinct, at least one. */
export function checkClassNames(name: string, value: unknown): void {
  const isList = Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === 'string');
  if (!isList) throw new InvalidArgumentError(expectation('an array of class names', name, value));
  const repeated = value.find((entry, i) => value.indexOf(entry) !== i);
  if (repeated !== undefined) {
    throw new InvalidArgumentError(`Expected distinct class names for ${name} but received '${repeated}' twice`);
  }
}
