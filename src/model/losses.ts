/** The losses and what targets they take. */

import { choice } from '../arguments.js';
import { InvalidModelError } from '../errors.js';
import type { NativeTrainingSpec } from '../native.js';

export type LossName = NativeTrainingSpec['loss'];

const lossNames: readonly LossName[] = [
  'sparseCategoricalCrossentropy',
  'categoricalCrossentropy',
  'binaryCrossentropy',
  'meanSquaredError',
];

export function lossName(value: unknown): LossName {
  return choice(value, 'loss', lossNames);
}

/** What a row of y is. */
export interface TargetForm {
  readonly dataType: 'int32' | 'float32';
  /** Numbers of a row. */
  readonly width: number;
  /** For class ids, how many classes there are; otherwise 0. */
  readonly classes: number;
  /** Where all numbers must lie, both ends included; null where any finite number will do. */
  readonly range: readonly [number, number] | null;
  /** The shapes of a row that are taken, the usual one first. */
  readonly rowShapes: readonly (readonly number[])[];
}

/**
 * The targets of the loss over outputs of that shape.
 *
 * @throws InvalidModelError where the loss cannot be taken of such outputs.
 */
export function targetForm(loss: LossName, outputShape: readonly number[]): TargetForm {
  const [outputs] = outputShape;
  if (outputShape.length !== 1 || outputs === undefined) {
    throw new InvalidModelError(
      `Expected outputs of shape [units] for the loss but the model gives [${outputShape.join(', ')}]; ` +
        'end the model with a layer that makes one vector of the steps, such as flatten, globalMaxPooling1d or an lstm without returnSequences',
    );
  }
  if (loss === 'sparseCategoricalCrossentropy') {
    if (outputs < 2) {
      throw new InvalidModelError(
        "Expected 2 outputs or more for loss sparseCategoricalCrossentropy but the model gives 1; use loss 'binaryCrossentropy'",
      );
    }
    return { dataType: 'int32', width: 1, classes: outputs, range: null, rowShapes: [[], [1]] };
  }
  return {
    dataType: 'float32',
    width: outputs,
    classes: 0,
    range: loss === 'meanSquaredError' ? null : [0, 1],
    rowShapes: outputs === 1 ? [[], [1]] : [[outputs]],
  };
}
