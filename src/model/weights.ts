/** Reading and writing a model's arrays by name. */

import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { NativeModel } from '../native.js';
import { nearestName } from '../nearest-name.js';
import { type Float32Tensor, type TensorLike, toTensor } from '../tensor.js';

/** Copies of all arrays in the order of the layers, each in a buffer of its own. */
export function readWeights(native: NativeModel): Record<string, Float32Tensor> {
  const snapshot = Array.from(weightSnapshot(native), ([name, { data, shape }]) => [
    name,
    { data: data.slice(), shape },
  ]);
  return Object.fromEntries(snapshot);
}

/** The arrays as they are now, all in one buffer. */
export function weightSnapshot(native: NativeModel): Map<string, Float32Tensor> {
  const values = native.readParameters();
  return new Map(
    native
      .parameters()
      .map(({ name, shape, offset, size }) => [name, { data: values.subarray(offset, offset + size), shape }]),
  );
}

/**
 * Writes the arrays that are named, or none of them where one is wrong.
 *
 * @throws InvalidArgumentError for an unknown name (with the nearest one) and another shape.
 */
export function writeWeights(native: NativeModel, weights: Readonly<Record<string, TensorLike>>): void {
  if (typeof weights !== 'object' || weights === null || Array.isArray(weights)) {
    throw new InvalidArgumentError(expectation('an object of arrays by name', 'weights', weights));
  }
  const known = new Map(native.parameters().map((parameter) => [parameter.name, parameter]));
  const writes = Object.entries(weights).map(([name, value]) => {
    const parameter = known.get(name);
    if (parameter === undefined) {
      const names = [...known.keys()];
      const remedy = names.length === 0 ? 'the model has none' : `did you mean ${nearestName(name, names)}?`;
      throw new InvalidArgumentError(`Unknown weights ${name}; ${remedy}`);
    }
    const { data, shape } = toTensor(value, 'float32', name);
    if (shape.length !== parameter.shape.length || shape.some((size, axis) => size !== parameter.shape[axis])) {
      throw new InvalidArgumentError(
        `Expected weights of shape [${parameter.shape.join(', ')}] for ${name} but received shape [${shape.join(', ')}]`,
      );
    }
    return { offset: parameter.offset, data };
  });
  for (const { offset, data } of writes) native.writeParameters(offset, data);
}
