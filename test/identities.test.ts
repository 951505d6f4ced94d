/**
 * Identities between the variants: each slim variant is a wider one with some weights at zero, on a diagonal, or such that a
 * gate stands still. They follow from the equations of the cell and hold for outputs and gradients alike.
 */

import { describe, expect, it } from 'vitest';
import { defineVariant, layers, type Model, optimizers, sequential, variants } from '../src/index.js';
import { RandomStream } from '../src/philox.js';
import type { Tensor } from '../src/tensor.js';
import { type Block, blocks, blocksWith, hasTerm, type Term, type Variant, weightShapes } from '../src/variants.js';

const STEPS = 6;
const INPUTS = 4;
const UNITS = 7;
const BATCH = 3;

/** The weights of each block by term: W `[m, n]`, U `[n, n]`, u `[n]`, b `[n]`, row-major. */
type Weights = Record<Block, Partial<Record<Term, Float32Array>>>;

const arrayOf = { input: 'kernel', full: 'recurrent_kernel', diagonal: 'recurrent_diagonal', bias: 'bias' } as const;
const rowsOf = { input: INPUTS, full: UNITS, diagonal: 1, bias: 1 } as const;
const terms = Object.keys(arrayOf) as Term[];

function random(seed: number, size: number, scale: number): Float32Array {
  const words = new RandomStream(seed, 0, 0);
  return Float32Array.from({ length: size }, (_, i) => scale * (words.word(i) / 2 ** 31 - 1));
}

function randomWeights(variant: Variant): Weights {
  const weights: Weights = { input: {}, forget: {}, candidate: {}, output: {} };
  let seed = 100;
  for (const term of terms) {
    for (const block of blocksWith(variant, term)) {
      weights[block][term] = random(seed++, rowsOf[term] * UNITS, 0.6);
    }
  }
  return weights;
}

/** The packed arrays: of `[rows, G·n]` block g holds the columns from g·n on; `recurrent_diagonal` is `[G, n]`. */
function packed(variant: Variant, weights: Weights): Record<string, Tensor> {
  const arrays: Record<string, Tensor> = {};
  for (const { name, shape } of weightShapes(variant, INPUTS, UNITS)) {
    const term = terms.find((candidate) => arrayOf[candidate] === name) as Term;
    const kept = blocksWith(variant, term);
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    kept.forEach((block, place) => {
      const values = weights[block][term] ?? new Float32Array(rowsOf[term] * UNITS);
      values.forEach((value, i) => {
        data[packedIndex(term, kept.length, place, i)] = value;
      });
    });
    arrays[`lstm/${name}`] = { data, shape };
  }
  return arrays;
}

function packedIndex(term: Term, width: number, place: number, i: number): number {
  if (term === 'diagonal') return place * UNITS + i;
  return Math.floor(i / UNITS) * width * UNITS + place * UNITS + (i % UNITS);
}

/** The way back, for gradients. */
function unpacked(variant: Variant, arrays: Readonly<Record<string, Tensor>>): Weights {
  const weights: Weights = { input: {}, forget: {}, candidate: {}, output: {} };
  for (const term of terms) {
    const kept = blocksWith(variant, term);
    const data = arrays[`lstm/${arrayOf[term]}`]?.data ?? [];
    kept.forEach((block, place) => {
      weights[block][term] = Float32Array.from(
        { length: rowsOf[term] * UNITS },
        (_, i) => data[packedIndex(term, kept.length, place, i)] as number,
      );
    });
  }
  return weights;
}

function diagonalMatrix(diagonal: Float32Array): Float32Array {
  const matrix = new Float32Array(UNITS * UNITS);
  diagonal.forEach((value, j) => {
    matrix[j * UNITS + j] = value;
  });
  return matrix;
}

function diagonalOf(matrix: Float32Array): Float32Array {
  return Float32Array.from({ length: UNITS }, (_, j) => matrix[j * UNITS + j] as number);
}

/** The weights under which the wide variant is the slim one; what it has beyond it is zero. */
function widened(weights: Weights, wide: Variant): Weights {
  const all: Weights = { input: {}, forget: {}, candidate: {}, output: {} };
  for (const block of blocks) {
    all[block] = { ...weights[block] };
    const { diagonal } = weights[block];
    if (diagonal !== undefined && hasTerm(wide[block], 'full')) {
      all[block].full = diagonalMatrix(diagonal);
      delete all[block].diagonal;
    }
  }
  return all;
}

/** The wide variant's gradients with regard to the weights that the slim one has. */
function narrowed(gradients: Weights, slim: Variant): Weights {
  const own: Weights = { input: {}, forget: {}, candidate: {}, output: {} };
  for (const block of blocks) {
    for (const term of terms) {
      if (!hasTerm(slim[block], term)) continue;
      const { full } = gradients[block];
      const onDiagonal = term === 'diagonal' && gradients[block].diagonal === undefined && full !== undefined;
      own[block][term] = onDiagonal ? diagonalOf(full) : (gradients[block][term] as Float32Array);
    }
  }
  return own;
}

interface Run {
  readonly output: Tensor;
  readonly input: Tensor;
  readonly gradients: Weights;
}

interface Settings {
  readonly steps?: number;
  readonly recurrentActivation?: 'sigmoid' | 'hardSigmoid';
}

async function run(variant: Variant, weights: Weights, settings: Settings = {}): Promise<Run> {
  const { steps = STEPS, recurrentActivation = 'sigmoid' } = settings;
  const model: Model = sequential([layers.lstm({ units: UNITS, variant, recurrentActivation })], {
    inputShape: [steps, INPUTS],
    device: 'cpu',
  });
  try {
    model.compile({ optimizer: optimizers.sgd(), loss: 'meanSquaredError' });
    model.setWeights(packed(variant, weights));
    const x = { data: random(1, BATCH * steps * INPUTS, 1), shape: [BATCH, steps, INPUTS] };
    const y = { data: random(2, BATCH * UNITS, 1), shape: [BATCH, UNITS] };
    const output = await model.predict(x);
    const { input, ...gradients } = await model.gradients(x, y, { input: true });
    return { output, input: input as Tensor, gradients: unpacked(variant, gradients) };
  } finally {
    model.dispose();
  }
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const largest = Math.max(...Array.from(expected, Math.abs));
  const difference = Math.max(...Array.from(expected, (value, i) => Math.abs(value - (actual[i] as number))));
  expect(difference, what).toBeLessThanOrEqual(2e-6 * largest);
}

function expectSameRun(actual: Run, expected: Run): void {
  expectClose(actual.output.data, expected.output.data, 'outputs');
  expectClose(actual.input.data, expected.input.data, 'gradient of the input');
  for (const block of blocks) {
    for (const [term, gradient] of Object.entries(expected.gradients[block])) {
      expectClose(actual.gradients[block][term as Term] ?? [], gradient, `gradient of ${block} ${term}`);
    }
  }
}

/** For one's own variants: the published ones with other gates. */
function changed(
  variant: Variant,
  name: string,
  gates: Partial<Pick<Variant, 'input' | 'forget' | 'output'>>,
): Variant {
  return defineVariant({ ...variant, name, ...gates });
}

describe('a slim variant is a wider one with weights at zero', () => {
  const { LSTM, LSTM1, LSTM2, LSTM3, LSTM4, LSTM5, LSTM10, LSTM11 } = variants;
  it.each([
    ['LSTM1', 'LSTM without W of the gates', LSTM1, LSTM],
    ['LSTM2', 'LSTM1 without biases of the gates', LSTM2, LSTM1],
    ['LSTM4', 'LSTM5 without biases of the gates', LSTM4, LSTM5],
    ['LSTM10', 'LSTM11 without biases of the gates', LSTM10, LSTM11],
    ['LSTM3', 'LSTM5 without u', LSTM3, LSTM5],
    ['LSTM3', 'LSTM1 without U of the gates', LSTM3, LSTM1],
    ['LSTM5', 'LSTM1 with diagonal U in the gates', LSTM5, LSTM1],
    ['LSTM4', 'LSTM2 with diagonal U in the gates', LSTM4, LSTM2],
    ['LSTM10', 'LSTM4 with a diagonal U in the candidate', LSTM10, LSTM4],
    ['LSTM11', 'LSTM5 with a diagonal U in the candidate', LSTM11, LSTM5],
    ['LSTM11', 'LSTM with diagonal U everywhere', LSTM11, LSTM],
  ])('%s is %s', async (_slim, _wide, slim, wide) => {
    const weights = randomWeights(slim);
    const narrow = await run(slim, weights);
    const { gradients, ...rest } = await run(wide, widened(weights, wide));
    expectSameRun({ ...rest, gradients: narrowed(gradients, slim) }, narrow);
  });
});

describe('a constant gate is a gate that stands still', () => {
  // hardSigmoid, 0.2 b + 0.5, gives any constant from 0 to 1 for a bias; beyond 2.5 it is 1.
  const biasFor = (value: number) => new Float32Array(UNITS).fill(value === 1 ? 4 : (value - 0.5) / 0.2);

  it.each([
    ['LSTM6', 'LSTM3', variants.LSTM6, variants.LSTM3, { input: 1, forget: 0.4, output: 1 }],
    ['LSTM_C6', 'LSTM11', variants.LSTM_C6, variants.LSTM11, { input: 1, forget: 0.4, output: 1 }],
    ['LSTM5a', 'LSTM5', variants.LSTM5a, variants.LSTM5, { forget: 0.96, output: 1 }],
    ['LSTM4a', 'LSTM5', variants.LSTM4a, variants.LSTM5, { forget: 0.96, output: 1 }],
  ] as const)('%s is %s with biases alone in those gates', async (_slim, _wide, slim, wide, constants) => {
    const weights = randomWeights(slim);
    const withBiases = widened(weights, wide);
    for (const [gate, value] of Object.entries(constants)) withBiases[gate as Block].bias = biasFor(value);
    const narrow = await run(slim, weights, { recurrentActivation: 'hardSigmoid' });
    const { gradients, ...rest } = await run(wide, withBiases, { recurrentActivation: 'hardSigmoid' });
    expectSameRun({ ...rest, gradients: narrowed(gradients, slim) }, narrow);
  });

  it.each([
    [
      'LSTM4a',
      variants.LSTM4a,
      changed(variants.LSTM4, 'mine', { forget: { constant: 0.96 }, output: { constant: 1 } }),
    ],
    [
      'LSTM5a',
      variants.LSTM5a,
      changed(variants.LSTM5, 'mine', { forget: { constant: 0.96 }, output: { constant: 1 } }),
    ],
    [
      'LSTM6',
      variants.LSTM6,
      changed(variants.LSTM1, 'mine', { input: { constant: 1 }, forget: { constant: 0.4 }, output: { constant: 1 } }),
    ],
    [
      'LSTM_C6',
      variants.LSTM_C6,
      changed(variants.LSTM10, 'mine', { input: { constant: 1 }, forget: { constant: 0.4 }, output: { constant: 1 } }),
    ],
  ])('%s is what one makes of its relatives by declaring the gates constant', async (_name, published, mine) => {
    const weights = randomWeights(published);
    expectSameRun(await run(mine, weights), await run(published, weights));
  });
});

describe('with a single step there is no state to read', () => {
  const settings = { steps: 1 };

  it('LSTM1, LSTM3, LSTM5 and LSTM11 are the same for equal W and b', async () => {
    const { LSTM1, LSTM3, LSTM5, LSTM11 } = variants;
    const weights = randomWeights(LSTM3);
    const expected = await run(LSTM3, weights, settings);
    for (const variant of [LSTM1, LSTM5, LSTM11]) {
      const own = randomWeights(variant);
      for (const block of blocks) Object.assign(own[block], weights[block], { full: own[block].full });
      const actual = await run(variant, own, settings);
      expectClose(actual.output.data, expected.output.data, `outputs of ${variant.name}`);
      expectClose(actual.input.data, expected.input.data, `gradient of the input of ${variant.name}`);
    }
  });

  it('LSTM2, LSTM4 and LSTM10 are the same for equal W and b, with gates of one half', async () => {
    const { LSTM2, LSTM4, LSTM10 } = variants;
    const half = changed(variants.LSTM6, 'halves', { input: { constant: 0.5 }, output: { constant: 0.5 } });
    const candidate = randomWeights(half).candidate;
    const expected = await run(half, { ...randomWeights(half), candidate }, settings);
    for (const variant of [LSTM2, LSTM4, LSTM10]) {
      const own = randomWeights(variant);
      own.candidate = {
        ...own.candidate,
        input: candidate.input as Float32Array,
        bias: candidate.bias as Float32Array,
      };
      const actual = await run(variant, own, settings);
      expectClose(actual.output.data, expected.output.data, `outputs of ${variant.name}`);
      expectClose(actual.input.data, expected.input.data, `gradient of the input of ${variant.name}`);
    }
  });

  it.each(Object.values(variants))('the forget gate of $name does not matter', async (variant) => {
    const weights = randomWeights(variant);
    const before = await run(variant, weights, settings);
    const other = changed(variant, 'other', { forget: { constant: -0.3 } });
    const after = await run(other, { ...weights, forget: {} }, settings);
    expectClose(after.output.data, before.output.data, 'outputs');
    for (const gradient of Object.values(before.gradients.forget))
      expect(gradient.every((value) => value === 0)).toBe(true);
  });
});
