import { describe, expect, it } from 'vitest';
import { layers, type Model, sequential } from '../../src/index.js';
import { uniform } from './formula.js';
import { DEVICE } from './network.js';

/** An embedding of 5 tokens and an lstm of 4 units, with weights that depend on the names of the arrays alone. */
function modelFor(steps: number, variant: string, options: object, maskZero: boolean): Model {
  const model = sequential(
    [layers.embedding({ inputDim: 5, outputDim: 3, maskZero }), layers.lstm({ units: 4, variant, ...options })],
    { inputShape: [steps], device: DEVICE },
  );
  const weights = Object.entries(model.weights());
  model.setWeights(Object.fromEntries(weights.map(([name, { shape }], k) => [name, uniform(3, k, shape, 0.7)])));
  return model;
}

async function outputs(steps: number, variant: string, options: object, maskZero: boolean, tokens: number[][]) {
  const model = modelFor(steps, variant, options, maskZero);
  const { data } = await model.predict(tokens);
  model.dispose();
  return Array.from(data);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 6);
}

describe.each(['LSTM', 'LSTM3', 'LSTM5', 'LSTM10'])('masked steps of %s', (variant) => {
  it.each([{ goBackwards: false }, { goBackwards: true }])('are as if they were not there: %j', async (options) => {
    const padded = [
      [0, 0, 0, 1, 2, 3, 4],
      [1, 2, 3, 4, 0, 0, 0],
      [1, 0, 2, 0, 3, 0, 4],
    ];
    const bare = await outputs(4, variant, options, false, [[1, 2, 3, 4]]);
    expect(Math.max(...bare.map(Math.abs))).toBeGreaterThan(0.01);
    expectClose(await outputs(7, variant, options, true, padded), [...bare, ...bare, ...bare]);
  });

  it('repeat the output before them, zeros before the first', async () => {
    const all = await outputs(6, variant, { returnSequences: true }, true, [[0, 1, 0, 0, 2, 0]]);
    const bare = await outputs(2, variant, { returnSequences: true }, false, [[1, 2]]);
    const first = bare.slice(0, 4);
    const second = bare.slice(4);
    expectClose(all, [0, 0, 0, 0, ...first, ...first, ...first, ...second, ...second]);
  });

  it('give zeros for a sequence that is masked throughout', async () => {
    expect(await outputs(3, variant, {}, true, [[0, 0, 0]])).toEqual([0, 0, 0, 0]);
  });

  it('count as any other where the embedding masks nothing', async () => {
    const bare = await outputs(4, variant, {}, false, [[1, 2, 3, 4]]);
    const padded = await outputs(5, variant, {}, false, [[1, 2, 3, 4, 0]]);
    expect(Math.max(...padded.map((value, i) => Math.abs(value - (bare[i] as number))))).toBeGreaterThan(1e-3);
  });
});
