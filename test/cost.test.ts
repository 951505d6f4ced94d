import { describe, expect, it } from 'vitest';
import { cost, elementwiseCost } from '../src/cost.js';
import { InvalidArgumentError } from '../src/errors.js';
import { defineVariant, type VariantName, variants } from '../src/variants.js';

// Parameters and operations of one time step as formulas of m = input size and n = units, derived by hand from the
// equations. Diagonal products, state products and gate activations are given in multiples of n.
type Row = [
  parameters: (m: number, n: number) => number,
  inputBlocks: number,
  fullBlocks: number,
  diagonal: number,
  state: number,
  gates: number,
];
const formulas: Record<VariantName, Row> = {
  LSTM: [(m, n) => 4 * (m * n + n * n + n), 4, 4, 0, 3, 3],
  LSTM1: [(m, n) => m * n + 4 * n * n + 4 * n, 1, 4, 0, 3, 3],
  LSTM2: [(m, n) => m * n + 4 * n * n + n, 1, 4, 0, 3, 3],
  LSTM3: [(m, n) => m * n + n * n + 4 * n, 1, 1, 0, 3, 0],
  LSTM4: [(m, n) => m * n + n * n + 4 * n, 1, 1, 3, 3, 3],
  LSTM4a: [(m, n) => m * n + n * n + 2 * n, 1, 1, 1, 2, 1],
  LSTM5: [(m, n) => m * n + n * n + 7 * n, 1, 1, 3, 3, 3],
  LSTM5a: [(m, n) => m * n + n * n + 3 * n, 1, 1, 1, 2, 1],
  LSTM6: [(m, n) => m * n + n * n + n, 1, 1, 0, 1, 0],
  LSTM10: [(m, n) => m * n + 5 * n, 1, 0, 4, 3, 3],
  LSTM11: [(m, n) => m * n + 8 * n, 1, 0, 4, 3, 3],
  LSTM_C6: [(m, n) => m * n + 2 * n, 1, 0, 1, 1, 0],
};
const names = Object.keys(formulas) as VariantName[];

describe('cost', () => {
  it.each(names)('%s agrees with the formulas', (name) => {
    const [parameters, inputBlocks, fullBlocks, diagonal, state, gates] = formulas[name];
    for (const [m, n] of [
      [1, 1],
      [7, 130],
      [300, 64],
    ] as const) {
      expect(cost(name, { inputSize: m, units: n })).toEqual({
        parameters: parameters(m, n),
        inputMacs: inputBlocks * m * n,
        recurrentMacs: fullBlocks * n * n,
        elementwise: (diagonal + state + gates + 2) * n,
      });
      expect(elementwiseCost(variants[name], n)).toEqual({
        diagonal: diagonal * n,
        state: state * n,
        recurrentActivation: gates * n,
        activation: 2 * n,
      });
    }
  });

  // Those of LSTM to LSTM3 at (1, 100), (28, 50) and (128, 128) are printed in Y. Lu, arXiv 1612.03707, Tables I to III.
  it.each([
    [1, 100, [40800, 40500, 40200, 10500, 10500, 10300, 10800, 10400, 10200, 600, 900, 300]],
    [28, 50, [15800, 11600, 11450, 4100, 4100, 4000, 4250, 4050, 3950, 1650, 1800, 1500]],
    [28, 100, [51600, 43200, 42900, 13200, 13200, 13000, 13500, 13100, 12900, 3300, 3600, 3000]],
    [128, 128, [131584, 82432, 82048, 33280, 33280, 33024, 33664, 33152, 32896, 17024, 17408, 16640]],
    [32, 100, [53200, 43600, 43300, 13600, 13600, 13400, 13900, 13500, 13300, 3700, 4000, 3400]],
  ])('counts the published numbers of parameters for m = %d, n = %d', (inputSize, units, parameters) => {
    expect(names.map((name) => cost(name, { inputSize, units }).parameters)).toEqual(parameters);
  });

  it('counts a variant of the user’s own by its terms', () => {
    const variant = defineVariant({
      input: { input: true, recurrent: 'diagonal' },
      forget: { constant: 0 },
      candidate: { input: true, recurrent: 'full' },
      output: { bias: true },
    });
    // kernel [3, 2·10], recurrent_kernel [10, 10], recurrent_diagonal [1, 10], bias [10]; products u.h, i.g and o.g;
    // one gate that changes with time; two activations
    expect(cost(variant, { inputSize: 3, units: 10 })).toEqual({
      parameters: 60 + 100 + 10 + 10,
      inputMacs: 60,
      recurrentMacs: 100,
      elementwise: 10 + 20 + 10 + 20,
    });
  });

  it('refuses an unknown variant and sizes that are no positive integers', () => {
    expect(() => cost('LSTM7', { inputSize: 3, units: 10 })).toThrow(InvalidArgumentError);
    expect(() => cost('LSTM', { inputSize: 3, units: -1 })).toThrow(
      'Expected a positive integer for units but received -1 of type number',
    );
    expect(() => cost('LSTM', undefined as never)).toThrow(/^Expected an object \{ inputSize, units \} for size/);
  });
});
