/** How the weights of a layer begin: Keras' initializers, by name or as an object with their numbers. */

import { checkedOptions, choice, finiteNumber, nonNegativeNumber } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { NativeInitializer } from '../native.js';

export type InitializerName =
  | 'zeros'
  | 'ones'
  | 'uniform'
  | 'normal'
  | 'glorotUniform'
  | 'glorotNormal'
  | 'heUniform'
  | 'heNormal'
  | 'orthogonal';

/**
 * `uniform` alone is over [-0.05, 0.05), `normal` alone has mean 0 and standard deviation 0.05, `orthogonal` alone has
 * gain 1, all as in Keras.
 */
export type Initializer =
  | InitializerName
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'normal'; readonly mean: number; readonly stddev: number }
  | { readonly kind: 'orthogonal'; readonly gain: number };

const names: readonly InitializerName[] = [
  'zeros',
  'ones',
  'uniform',
  'normal',
  'glorotUniform',
  'glorotNormal',
  'heUniform',
  'heNormal',
  'orthogonal',
];

/** @throws InvalidArgumentError for an unknown name (with the nearest one), missing or unusable numbers. */
export function checkedInitializer(value: unknown, name: string): Initializer {
  if (typeof value === 'string') return choice(value, name, names);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(expectation('the name of an initializer or an object with its kind', name, value));
  }
  const given = value as Record<string, unknown>;
  switch (choice(given.kind, `${name}.kind`, ['constant', 'uniform', 'normal', 'orthogonal'])) {
    case 'constant':
      checkedOptions(given, ['kind', 'value'], name);
      return Object.freeze({ kind: 'constant', value: finiteNumber(given.value, `${name}.value`) });
    case 'uniform': {
      checkedOptions(given, ['kind', 'low', 'high'], name);
      const low = finiteNumber(given.low, `${name}.low`);
      const high = finiteNumber(given.high, `${name}.high`);
      if (low > high) throw new InvalidArgumentError(expectation(`a number of ${low} or more`, `${name}.high`, high));
      return Object.freeze({ kind: 'uniform', low, high });
    }
    case 'normal':
      checkedOptions(given, ['kind', 'mean', 'stddev'], name);
      return Object.freeze({
        kind: 'normal',
        mean: finiteNumber(given.mean, `${name}.mean`),
        stddev: nonNegativeNumber(given.stddev, `${name}.stddev`),
      });
    case 'orthogonal':
      checkedOptions(given, ['kind', 'gain'], name);
      return Object.freeze({ kind: 'orthogonal', gain: finiteNumber(given.gain, `${name}.gain`) });
  }
}

export function nativeInitializer(initializer: Initializer): NativeInitializer {
  if (typeof initializer !== 'string') return initializer;
  switch (initializer) {
    case 'uniform':
      return { kind: 'uniform', low: -0.05, high: 0.05 };
    case 'normal':
      return { kind: 'normal', mean: 0, stddev: 0.05 };
    case 'orthogonal':
      return { kind: 'orthogonal', gain: 1 };
    default:
      return { kind: initializer };
  }
}
