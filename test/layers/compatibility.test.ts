/** Initial weights by the conventions of Keras, of the authors' code and of Lu's: the oracle is what defines each draw. */

import { describe, expect, it } from 'vitest';
import { type Compatibility, layers, sequential, variants } from '../../src/index.js';
import type { LstmOptions } from '../../src/layers/lstm.js';
import type { Tensor } from '../../src/tensor.js';

const INPUTS = 30;
const UNITS = 24;

type Weights = Record<'kernel' | 'recurrent_kernel' | 'recurrent_diagonal' | 'bias', Tensor>;

function initialWeights(options: Omit<LstmOptions, 'units'>, seed = 5): Weights {
  using model = sequential([layers.lstm({ units: UNITS, ...options })], {
    inputShape: [2, INPUTS],
    device: 'cpu',
    seed,
  });
  return Object.fromEntries(
    Object.entries(model.weights()).map(([name, tensor]) => [name.slice('lstm/'.length), tensor]),
  ) as Weights;
}

/** Column `column` of a matrix. */
function columnOf({ data, shape: [rows = 0, columns = 0] }: Tensor, column: number): number[] {
  return Array.from({ length: rows }, (_, row) => data[row * columns + column] as number);
}

function columnsOf(matrix: Tensor, from = 0, count = matrix.shape[1] as number): number[][] {
  return Array.from({ length: count }, (_, i) => columnOf(matrix, from + i));
}

/** The rows of a matrix given by its columns. */
const transposed = (columns: number[][]) =>
  Array.from({ length: columns[0]?.length ?? 0 }, (_, row) => columns.map((column) => column[row] as number));

function expectOrthogonal(vectors: number[][], gain = 1): void {
  const worst = vectors.flatMap((a, i) =>
    vectors.map((b, j) => {
      const product = a.reduce((sum, value, k) => sum + value * (b[k] as number), 0);
      return Math.abs(product - (i === j ? gain * gain : 0));
    }),
  );
  expect(Math.max(...worst)).toBeLessThan(1e-5);
}

/** Uniform draws come near the limit, and not beyond it. */
function expectLimit(values: Iterable<number>, limit: number): void {
  const largest = Math.max(...Array.from(values, Math.abs));
  expect(largest).toBeLessThanOrEqual(limit * (1 + 1e-6));
  expect(largest).toBeGreaterThan(0.97 * limit);
}

const row = ({ data, shape: [, columns = 0] }: Tensor, index: number) => [
  ...data.subarray(index * columns, (index + 1) * columns),
];

describe('slim22, the authors’ code', () => {
  // The columns of its recurrent_kernel: LSTM4 and 5 [u_i, u_f, U_c, u_o], LSTM4a and 5a [u_i, U_c].
  it.each([
    ['LSTM4', 2],
    ['LSTM5', 2],
    ['LSTM4a', 1],
    ['LSTM5a', 1],
  ] as const)('draws all recurrent weights of %s as one matrix with orthonormal rows', (variant, before) => {
    const { recurrent_kernel: matrix, recurrent_diagonal: diagonals } = initialWeights({
      variant,
      compatibility: 'slim22',
    });
    const rows = Array.from({ length: diagonals.shape[0] as number }, (_, i) => row(diagonals, i));
    expectOrthogonal(transposed([...rows.slice(0, before), ...columnsOf(matrix), ...rows.slice(before)]));
    // Neither is the other's alone: without the diagonals the matrix is not orthogonal.
    expect(() => expectOrthogonal(transposed(columnsOf(matrix)))).toThrow();
  });

  it.each(['LSTM1', 'LSTM2'])('draws [n, 4n] of %s with orthonormal rows', (variant) => {
    expectOrthogonal(transposed(columnsOf(initialWeights({ variant, compatibility: 'slim22' }).recurrent_kernel)));
  });

  it.each(['LSTM10', 'LSTM11'])('draws the four u of %s orthonormal', (variant) => {
    const { recurrent_diagonal: diagonals } = initialWeights({ variant, compatibility: 'slim22' });
    expectOrthogonal([0, 1, 2, 3].map((i) => row(diagonals, i)));
  });

  it('draws the kernel [m, n] within sqrt(6 / (m + n))', () => {
    const { kernel } = initialWeights({ variant: 'LSTM3', compatibility: 'slim22' });
    expectLimit(kernel.data, Math.sqrt(6 / (INPUTS + UNITS)));
  });

  it.each(['LSTM1', 'LSTM3', 'LSTM5', 'LSTM11', 'LSTM5a'])(
    'begins %s with biases of 0, the forget gate’s too',
    (variant) => {
      const { bias } = initialWeights({ variant, compatibility: 'slim22' });
      expect(bias.data.every((value) => value === 0)).toBe(true);
    },
  );

  it('has Keras’ own layer for a baseline', () => {
    expect(initialWeights({ variant: 'LSTM', compatibility: 'slim22' })).toEqual(initialWeights({ variant: 'LSTM' }));
  });

  it('applies another initializer to the joint matrix, as the code does', () => {
    const { recurrent_kernel, recurrent_diagonal } = initialWeights({
      variant: 'LSTM4',
      compatibility: 'slim22',
      recurrentInitializer: 'glorotUniform',
    });
    const limit = Math.sqrt(6 / (UNITS + UNITS + 3));
    expectLimit(recurrent_kernel.data, limit);
    expectLimit([...recurrent_kernel.data, ...recurrent_diagonal.data], limit);
  });
});

describe('lu2016, Lu’s code on Keras 1', () => {
  it('draws each block of U by itself, orthogonal with a gain of 1.1', () => {
    const { recurrent_kernel } = initialWeights({ variant: 'LSTM1', compatibility: 'lu2016' });
    const matrices = [0, 1, 2, 3].map((block) => columnsOf(recurrent_kernel, block * UNITS, UNITS));
    for (const matrix of matrices) expectOrthogonal(matrix, 1.1);
    expect(new Set(matrices.map((matrix) => JSON.stringify(matrix))).size).toBe(4);
  });

  it('draws each block of W within sqrt(6 / (m + n)), which Keras 2 draws within sqrt(6 / (m + 4n))', () => {
    const { kernel } = initialWeights({ variant: 'LSTM', compatibility: 'lu2016' });
    for (const block of [0, 1, 2, 3]) {
      expectLimit(columnsOf(kernel, block * UNITS, UNITS).flat(), Math.sqrt(6 / (INPUTS + UNITS)));
    }
    expectLimit(initialWeights({ variant: 'LSTM' }).kernel.data, Math.sqrt(6 / (INPUTS + 4 * UNITS)));
  });

  it('applies another initializer to each block', () => {
    const { recurrent_kernel } = initialWeights({
      variant: 'LSTM2',
      compatibility: 'lu2016',
      recurrentInitializer: 'glorotUniform',
    });
    expectLimit(recurrent_kernel.data, Math.sqrt(6 / (2 * UNITS)));
  });

  it('begins the forget gate’s bias at 1', () => {
    const { bias } = initialWeights({ variant: 'LSTM3', compatibility: 'lu2016' });
    expect([...bias.data]).toEqual(Array.from({ length: 4 * UNITS }, (_, i) => (i >= UNITS && i < 2 * UNITS ? 1 : 0)));
  });
});

describe('compatibility', () => {
  const all: Compatibility[] = ['keras', 'slim22', 'lu2016'];

  it('is off by default', () => {
    expect(layers.lstm({ units: 3 }).config.compatibility).toBe('keras');
    expect(initialWeights({ variant: 'LSTM5' })).toEqual(initialWeights({ variant: 'LSTM5', compatibility: 'keras' }));
  });

  it('yields to what is said beside it', () => {
    const { bias } = initialWeights({ variant: 'LSTM3', compatibility: 'slim22', unitForgetBias: true });
    expect(bias.data[UNITS]).toBe(1);
    const { recurrent_kernel } = initialWeights({
      variant: 'LSTM3',
      compatibility: 'lu2016',
      recurrentInitializer: 'orthogonal',
    });
    expectOrthogonal(columnsOf(recurrent_kernel), 1);
  });

  it.each(all)('%s draws the same weights for the same seed, others for another', (compatibility) => {
    for (const variant of Object.values(variants)) {
      const weights = initialWeights({ variant, compatibility });
      expect(initialWeights({ variant, compatibility })).toEqual(weights);
      const others = initialWeights({ variant, compatibility }, 6);
      for (const name of ['kernel', 'recurrent_kernel', 'recurrent_diagonal'] as const) {
        if (weights[name] !== undefined) expect(others[name]).not.toEqual(weights[name]);
      }
    }
  });

  it('gives the two directions of a bidirectional layer draws of their own', () => {
    using model = sequential(
      [layers.bidirectional(layers.lstm({ units: UNITS, variant: 'LSTM4', compatibility: 'slim22' }))],
      { inputShape: [2, INPUTS], device: 'cpu', seed: 5 },
    );
    const weights = model.weights();
    const [forward, backward] = ['forward', 'backward'].map((direction) => {
      const matrix = weights[`bidirectional/${direction}/recurrent_kernel`] as Tensor;
      const diagonals = weights[`bidirectional/${direction}/recurrent_diagonal`] as Tensor;
      return [row(diagonals, 0), row(diagonals, 1), ...columnsOf(matrix), row(diagonals, 2)];
    });
    expectOrthogonal(transposed(forward as number[][]));
    expectOrthogonal(transposed(backward as number[][]));
    expect(forward).not.toEqual(backward);
  });

  it('is part of the layer’s config', () => {
    const { config } = layers.lstm({ units: 3, variant: 'LSTM5', compatibility: 'slim22' });
    expect(config).toMatchObject({ compatibility: 'slim22', unitForgetBias: false });
    expect(layers.lstm(JSON.parse(JSON.stringify(config))).config).toEqual(config);
  });
});
