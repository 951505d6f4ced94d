import { nonNegativeNumber } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { Compiled } from './model-core.js';

/**
 * The factors of `classWeight` as one array by class id, 1 where none is given; undefined where there are none at all.
 *
 * @throws InvalidArgumentError for ids that are no class, weights below 0, and a loss without classes.
 */
export function classWeights(value: unknown, { loss, targets }: Compiled): Float32Array | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(expectation('an object such as { 0: 1, 1: 2.5 }', 'classWeight', value));
  }
  const classes = classCount(loss, targets.width, targets.classes);
  const weights = new Float32Array(classes).fill(1);
  for (const [key, weight] of Object.entries(value)) {
    if (!/^(0|[1-9]\d*)$/.test(key) || Number(key) >= classes) {
      throw new InvalidArgumentError(
        `Expected class ids in [0, ${classes}) as keys of classWeight but received ${key}`,
      );
    }
    weights[Number(key)] = nonNegativeNumber(weight, `classWeight[${key}]`);
  }
  return weights;
}

function classCount(loss: Compiled['loss'], width: number, classes: number): number {
  switch (loss) {
    case 'sparseCategoricalCrossentropy':
      return classes;
    case 'categoricalCrossentropy':
      return width;
    case 'binaryCrossentropy':
      // One output tells two classes apart; several are as many questions, none of which is a sample's class.
      if (width === 1) return 2;
      break;
    case 'meanSquaredError':
      break;
  }
  throw new InvalidArgumentError(
    `Expected no classWeight with loss ${loss} over ${width} outputs, which has no classes`,
  );
}
