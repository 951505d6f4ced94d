import { expect, test } from 'vitest';
import { layers, sequential } from '../../src/index.js';
import { numbers } from './toy.js';

const STEPS = 200;
const ROWS = 12_000;
const VOCABULARY = 5000;

/** How late a timer of 1 ms comes at the worst while `work` runs, in milliseconds. */
async function worstLateness(work: () => Promise<unknown>): Promise<number> {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - 1);
    last = now;
  }, 1);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return worst;
}

function network() {
  const model = sequential(
    [
      layers.embedding({ inputDim: VOCABULARY, outputDim: 16 }),
      layers.conv1d({ filters: 16, kernelSize: 5, activation: 'relu' }),
      layers.maxPooling1d({ poolSize: 5 }),
      layers.lstm({ units: 16 }),
      layers.dense({ units: 4, activation: 'softmax' }),
    ],
    // One core is left to the event loop.
    { inputShape: [STEPS], seed: 1, threads: 1 },
  );
  model.compile({ optimizer: 'rmsprop', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

// The bound is 20 ms; a machine that is busy with other work may hold up any process, so the best of three counts.
test('a timer of 1 ms is never 20 ms late during fit, data of 2.4 million tokens read in', async () => {
  const random = numbers();
  const data = Int32Array.from({ length: ROWS * STEPS }, () => Math.floor(random.next().value * VOCABULARY));
  const nested = Array.from({ length: ROWS }, (_, row) => Array.from(data.subarray(row * STEPS, (row + 1) * STEPS)));
  const y = Int32Array.from({ length: ROWS }, (_, row) => row % 4);
  using model = network();
  const validation = [{ data: data.slice(0, 500 * STEPS), shape: [500, STEPS] }, y.slice(0, 500)] as const;
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3 && best >= 20; attempt++) {
    const lateness = await worstLateness(async () => {
      const signal = AbortSignal.timeout(3000);
      const run = model.fit(nested, y, { epochs: 100, batchSize: 64, validationData: validation, verbose: 0, signal });
      await expect(run).rejects.toMatchObject({ name: 'TimeoutError' });
    });
    best = Math.min(best, lateness);
  }
  expect(best).toBeLessThan(20);
});
