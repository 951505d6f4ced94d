/** Training data that the GPU has no room for. */

import { afterEach, expect, it, vi } from 'vitest';
import { layers, sequential } from '../../src/index.js';
import { numbers, weightBytes } from '../model/toy.js';
import { describeOnGpu, GPU } from './gpu.js';

/** Room for the device's own records and a small model, but not for the data. */
const LIMIT = 64 << 20;
const [ROWS, STEPS, FEATURES] = [4000, 40, 120];

afterEach(() => {
  vi.unstubAllEnvs();
});

describeOnGpu('data that does not fit', () => {
  it.each(['LSTM', 'LSTM10'])('is sent batch by batch, to the bits of data that fits (%s)', async (variant) => {
    const random = numbers(3);
    const data = Float32Array.from({ length: ROWS * STEPS * FEATURES }, () => random.next().value - 0.5);
    const x = { data, shape: [ROWS, STEPS, FEATURES] };
    const y = Int32Array.from({ length: ROWS }, (_, row) => row % 4);
    const results = [];
    for (const limit of ['', String(LIMIT)]) {
      vi.stubEnv('SLIM_LSTM_DEVICE_MEMORY', limit);
      using model = sequential(
        [layers.lstm({ units: 48, variant, dropout: 0.1 }), layers.dense({ units: 4, activation: 'softmax' })],
        { inputShape: [STEPS, FEATURES], device: GPU, seed: 7 },
      );
      model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
      const options = { epochs: 3, batchSize: 64, validationSplit: 0.1, verbose: 0 } as const;
      const { history, streamed } = await model.fit(x, y, options);
      expect(streamed).toBe(limit !== '');
      const { data: outputs } = await model.predict(x, { batchSize: 128 });
      results.push({ history, outputs, weights: weightBytes(model).toString('hex') });
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('leaves no copy behind that would keep the data of another model away', async () => {
    // Beside three models' own records there is room for one such data set, not for two.
    vi.stubEnv('SLIM_LSTM_DEVICE_MEMORY', String(256 << 20));
    const rows = 5200;
    const x = { data: new Float32Array(rows * STEPS * FEATURES).fill(0.5), shape: [rows, STEPS, FEATURES] };
    const y = Int32Array.from({ length: rows }, (_, row) => row % 4);
    const models = [1, 2, 3].map((seed) => {
      const network = [layers.lstm({ units: 8, variant: 'LSTM10' }), layers.dense({ units: 4, activation: 'softmax' })];
      const model = sequential(network, { inputShape: [STEPS, FEATURES], device: GPU, seed });
      model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
      return model;
    });
    for (const model of models) {
      expect((await model.fit(x, y, { batchSize: 32, verbose: 0 })).streamed).toBe(false);
      // The copy goes on the model's thread, for which this waits.
      model.weights();
    }
    for (const model of models) model.dispose();
  });
});
