/** Sizes at the ends of their ranges: they predict what the definition of the cell says, and learn. */

import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import {
  InvalidArgumentError,
  InvalidModelError,
  layers,
  type Model,
  OutOfMemoryError,
  optimizers,
  sequential,
  variants,
} from '../src/index.js';
import { RandomStream } from '../src/philox.js';
import type { Variant } from '../src/variants.js';
import { type CellSize, lastState } from './plain-cell.js';

const LEARNING_RATE = 0.5;

function numbers(seed: number, size: number): Float32Array {
  const words = new RandomStream(seed, 0, 7);
  return Float32Array.from({ length: size }, (_, i) => words.word(i) / 2 ** 31 - 1);
}

function modelOf(variant: Variant, { steps, inputs, units }: CellSize, threads = 2): Model {
  // Orthogonal matrices of thousands of rows take seconds to draw.
  const model = sequential([layers.lstm({ units, variant, recurrentInitializer: 'glorotUniform' })], {
    inputShape: [steps, inputs],
    device: 'cpu',
    seed: 11,
    threads,
  });
  model.compile({ optimizer: optimizers.sgd({ learningRate: LEARNING_RATE }), loss: 'meanSquaredError' });
  return model;
}

/** Predicts a batch, whose rows the plain cell gives too, and trains one step, which is that of the gradients. */
async function predictsAndLearns(variant: Variant, size: CellSize, batch: number): Promise<void> {
  using model = modelOf(variant, size);
  const { steps, inputs, units } = size;
  const x = { data: numbers(1, batch * steps * inputs), shape: [batch, steps, inputs] };
  const y = { data: numbers(2, batch * units), shape: [batch, units] };
  const before = model.weights();
  const cell = Object.fromEntries(Object.entries(before).map(([name, array]) => [name.slice('lstm/'.length), array]));
  const { data } = await model.predict(x, { batchSize: batch });
  for (const row of new Set([0, batch - 1])) {
    const expected = lastState(variant, size, cell, x.data.subarray(row * steps * inputs, (row + 1) * steps * inputs));
    const worst = expected.reduce(
      (most, value, j) => Math.max(most, Math.abs(value - (data[row * units + j] ?? Number.NaN))),
      0,
    );
    expect(worst, `row ${row}`).toBeLessThan(1e-5);
  }

  const gradients = await model.gradients(x, y);
  expect(Object.keys(gradients).sort()).toEqual(Object.keys(before).sort());
  await model.fit(x, y, { batchSize: batch, verbose: 0 });
  for (const [name, { data: after }] of Object.entries(model.weights())) {
    const [old, gradient] = [before[name]?.data ?? [], gradients[name]?.data ?? []];
    const worst = after.reduce((most, value, i) => {
      const expected = (old[i] as number) - LEARNING_RATE * (gradient[i] as number);
      return Math.max(most, Math.abs(value - expected));
    }, 0);
    expect(worst, name).toBeLessThan(1e-6);
    expect(
      gradient.some((value) => value !== 0),
      name,
    ).toBe(true);
  }
}

describe.each(Object.values(variants))('$name', (variant) => {
  it.each([
    ['one sequence', { steps: 9, inputs: 5, units: 20 }, 1],
    ['one unit', { steps: 9, inputs: 5, units: 1 }, 3],
    ['one input', { steps: 9, inputs: 1, units: 20 }, 3],
    ['one of everything but two steps', { steps: 2, inputs: 1, units: 1 }, 1],
    ['sequences of 70,000 steps', { steps: 70_000, inputs: 1, units: 2 }, 1],
    ['2,048 units', { steps: 2, inputs: 3, units: 2048 }, 1],
  ] as const)('%s', (_, size, batch) => predictsAndLearns(variant, size, batch), 60_000);

  it('one step, in which a recurrent term has nothing to read', async () => {
    const size = { steps: 1, inputs: 4, units: 6 };
    using model = modelOf(variant, size);
    const x = { data: numbers(1, 12), shape: [3, 1, 4] };
    const { data } = await model.predict(x);
    const cell = Object.fromEntries(
      Object.entries(model.weights()).map(([name, array]) => [name.slice('lstm/'.length), array]),
    );
    const expected = lastState(variant, size, cell, x.data.subarray(8, 12));
    expect(Math.max(...expected.map((value, j) => Math.abs(value - (data[12 + j] as number))))).toBeLessThan(1e-6);
    const gradients = await model.gradients(x, { data: numbers(2, 18), shape: [3, 6] });
    for (const name of ['lstm/recurrent_kernel', 'lstm/recurrent_diagonal']) {
      expect(gradients[name]?.data.every((value) => value === 0) ?? true).toBe(true);
    }
  });

  it('more threads than cores change nothing', async () => {
    const size = { steps: 7, inputs: 5, units: 12 };
    const trained = async (threads: number) => {
      using model = modelOf(variant, size, threads);
      const x = { data: numbers(1, 20 * 35), shape: [20, 7, 5] };
      await model.fit(x, { data: numbers(2, 20 * 12), shape: [20, 12] }, { epochs: 2, batchSize: 8, verbose: 0 });
      return model.weights();
    };
    expect(await trained(4 * availableParallelism() + 1)).toEqual(await trained(1));
  });
});

describe('sizes beyond any machine', () => {
  const lstm = (units: number, inputs: number) => () =>
    sequential([layers.lstm({ units })], { inputShape: [4, inputs], device: 'cpu' }).dispose();

  it('are refused by name where they cannot be addressed', () => {
    expect(lstm(2 ** 31 - 1, 2 ** 31 - 1)).toThrow(InvalidArgumentError);
    expect(lstm(2 ** 31 - 1, 2 ** 31 - 1)).toThrow(/inputSize 2147483647 and units 2147483647/);
    const stack = [layers.lstm({ units: 2 ** 24, returnSequences: true })];
    expect(() => sequential(stack, { inputShape: [2 ** 31 - 1, 1], device: 'cpu' })).toThrow(InvalidModelError);
  });

  it('are told in bytes where they do not fit into memory', () => {
    expect(lstm(2 ** 20, 1)).toThrow(OutOfMemoryError);
    expect(lstm(2 ** 20, 1)).toThrow(/bytes/);
  });
});
