/** How the values of command-line options are read: each reader refuses what it cannot take, with what it wanted. */

import { InvalidArgumentError, Option } from 'commander';
import { implementations } from '../layers/lstm.js';
import { precisions } from '../precision.js';

/** An integer of at least 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Expected a positive integer.');
  return value;
}

/** An integer of at least 0. */
export function naturalNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('Expected an integer of 0 or more.');
  }
  return value;
}

/** A finite number above 0, such as `2e-3`. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

/** A number in [0, 1), such as a dropout rate. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value >= 1) {
    throw new InvalidArgumentError('Expected a number from 0 up to, not including, 1.');
  }
  return value;
}

/** A finite number. */
export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

/** `--precision` of a new model. */
export function precisionOption(): Option {
  return new Option('--precision <name>', 'of products on a GPU').choices(precisions).default('float32');
}

/** `--implementation` in place of a saved model's. */
export function otherImplementationOption(): Option {
  return new Option('--implementation <name>', 'of recurrent layers; by default as it was saved').choices(
    implementations,
  );
}

/** `--precision` in place of a saved model's. */
export function otherPrecisionOption(): Option {
  return new Option('--precision <name>', 'of products on a GPU; by default as it was saved').choices(precisions);
}
