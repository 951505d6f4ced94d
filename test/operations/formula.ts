/** Inputs, targets and weights by formula: the same numbers as `test/oracle/generate.py` makes, so that no fixture holds them. */

import { RandomStream } from '../../src/philox.js';
import type { Float32Tensor, Int32Tensor, Tensor } from '../../src/tensor.js';

// Weights have the streams 0, 1, 2, ... in the order of their names.
const INPUT_STREAM = 1000;
const TARGET_STREAM = 1002;

export type LossName =
  | 'meanSquaredError'
  | 'binaryCrossentropy'
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy';

/** What of a case its data follow from. */
export interface DataDescription {
  readonly inputShape: readonly number[];
  readonly batch: number;
  readonly loss: LossName;
  readonly tokens?: 'none' | 'mixed';
  readonly targets?: 'shares';
  readonly outputShape: readonly number[];
  readonly dataSeed: number;
  readonly layers: readonly { readonly inputDim?: number }[];
  readonly weights: readonly (readonly [name: string, shape: readonly number[], scale: number])[];
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Element i is scale * (2 * (word i + 1/2) / 2^32 - 1), computed in double and rounded once. */
export function uniform(seed: number, stream: number, shape: readonly number[], scale: number): Float32Tensor {
  const words = new RandomStream(seed, 0, stream);
  const data = Float32Array.from(
    { length: sizeOf(shape) },
    (_, i) => scale * (2 * ((words.word(i) + 0.5) / 2 ** 32) - 1),
  );
  return { data, shape };
}

export function weightsOf({ weights, dataSeed }: DataDescription): Record<string, Float32Tensor> {
  return Object.fromEntries(
    weights.map(([name, shape, scale], stream) => [name, uniform(dataSeed, stream, shape, scale)]),
  );
}

export function inputsOf(data: DataDescription): Tensor {
  if (data.tokens !== undefined) return tokensOf(data);
  return uniform(data.dataSeed, INPUT_STREAM, [data.batch, ...data.inputShape], 1);
}

/** Ids from 1; with mixed padding, rows are by turns padded in front, empty and full of gaps. */
function tokensOf({ inputShape, batch, dataSeed, layers, tokens }: DataDescription): Int32Tensor {
  const steps = inputShape[0] as number;
  const vocabulary = layers[0]?.inputDim as number;
  const words = new RandomStream(dataSeed, 0, INPUT_STREAM);
  const padded = (row: number, t: number) =>
    row % 3 === 0 ? t < Math.floor(steps / 2) : row % 3 === 1 ? true : t % 3 === 1;
  const data = Int32Array.from({ length: batch * steps }, (_, i) => {
    if (tokens === 'mixed' && padded(Math.floor(i / steps), i % steps)) return 0;
    return 1 + (words.word(i) % (vocabulary - 1));
  });
  return { data, shape: [batch, steps] };
}

/** In the form in which the package takes them: Int32 `[N]`, Float32 `[N, C]`, or Float32 `[N]` for one binary output. */
export function targetsOf({ batch, loss, targets, outputShape, dataSeed }: DataDescription): Tensor {
  const outputs = outputShape.at(-1) as number;
  const shape = [batch, outputs];
  if (loss === 'meanSquaredError') return uniform(dataSeed, TARGET_STREAM, shape, 1);
  if (targets === 'shares') return sharesOf(uniform(dataSeed, TARGET_STREAM, shape, 1));
  const words = new RandomStream(dataSeed, 0, TARGET_STREAM);
  if (loss === 'binaryCrossentropy') {
    const data = Float32Array.from({ length: batch * outputs }, (_, i) => words.word(i) & 1);
    return { data, shape: outputs === 1 ? [batch] : shape };
  }
  const classes = Int32Array.from({ length: batch }, (_, row) => words.word(row) % outputs);
  if (loss === 'sparseCategoricalCrossentropy') return { data: classes, shape: [batch] };
  const data = Float32Array.from({ length: batch * outputs }, (_, i) =>
    classes[Math.floor(i / outputs)] === i % outputs ? 1 : 0,
  );
  return { data, shape };
}

function sharesOf({ data, shape }: Float32Tensor): Float32Tensor {
  const outputs = shape[1] as number;
  const shares = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += outputs) {
    const values = data.subarray(row, row + outputs).map(Math.abs);
    const sum = values.reduce((total, value) => total + value, 0);
    values.forEach((value, k) => {
      shares[row + k] = value / sum;
    });
  }
  return { data: shares, shape };
}
