/** Which classes a classifier takes for which. */

import { positiveInteger } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';

/** Samples by true and predicted class. */
export interface ConfusionMatrix {
  readonly classes: number;
  /** `[classes, classes]`, row-major: entry `[t, p]` counts the samples of class t that were taken for class p. */
  readonly counts: Int32Array;
  /** Part of the samples on the diagonal. */
  readonly accuracy: number;
}

export interface Confusion {
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
}

/**
 * Counts `predicted` against `actual`, class ids in [0, classes), one of each a sample.
 *
 * @throws InvalidArgumentError if the lengths differ or an id is out of range.
 */
export function confusionMatrix(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ConfusionMatrix {
  if (actual.length !== predicted.length) {
    throw new InvalidArgumentError(
      `Expected as many predicted as actual classes but received ${predicted.length} and ${actual.length}`,
    );
  }
  const counts = new Int32Array(positiveInteger(classes, 'classes') ** 2);
  let correct = 0;
  for (let i = 0; i < actual.length; i++) {
    const [a, p] = [actual[i] as number, predicted[i] as number];
    if (!isClass(a, classes) || !isClass(p, classes)) {
      throw new InvalidArgumentError(`Expected class ids from 0 to ${classes - 1} but received ${a} and ${p} at ${i}`);
    }
    counts[a * classes + p] = (counts[a * classes + p] as number) + 1;
    if (a === p) correct++;
  }
  return { classes, counts, accuracy: actual.length === 0 ? Number.NaN : correct / actual.length };
}

function isClass(value: number, classes: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < classes;
}

/** The `limit` pairs of different classes most often confused, the worst first; pairs never confused are left out. */
export function worstConfusions(matrix: ConfusionMatrix, limit: number): Confusion[] {
  const pairs: Confusion[] = [];
  for (let actual = 0; actual < matrix.classes; actual++) {
    for (let predicted = 0; predicted < matrix.classes; predicted++) {
      const count = matrix.counts[actual * matrix.classes + predicted] as number;
      if (actual !== predicted && count > 0) pairs.push({ actual, predicted, count });
    }
  }
  return pairs.sort((a, b) => b.count - a.count).slice(0, limit);
}

/**
 * The class with the largest score of each row of `[rows, classes]`; the first of equals.
 *
 * @throws InvalidArgumentError if the scores are not as many as whole rows have.
 */
export function mostProbableClasses(scores: Float32Array, classes: number): Int32Array {
  if (scores.length % positiveInteger(classes, 'classes') !== 0) {
    throw new InvalidArgumentError(`Expected ${classes} scores for each row but received ${scores.length} in all`);
  }
  const best = new Int32Array(scores.length / classes);
  for (let row = 0; row < best.length; row++) {
    const begin = row * classes;
    let top = 0;
    for (let c = 1; c < classes; c++) {
      if ((scores[begin + c] as number) > (scores[begin + top] as number)) top = c;
    }
    best[row] = top;
  }
  return best;
}
