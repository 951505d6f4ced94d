/** Training on the GPU as users do it: seeds, checkpoints, models that go from device to device, an end in the middle. */

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { callbacks, devices, loadModel, timeLayer } from '../../src/index.js';
import { weightBytes } from '../model/toy.js';
import { temporaryFolder } from '../temporary-folder.js';
import { apart, classifier, compiled, convolutions, describeOnGpu, GPU, stack, tokenRows } from './gpu.js';

const STEPS = 15;
const { x, y } = tokenRows(96, STEPS, 50, 4);
const training = { epochs: 3, batchSize: 16, verbose: 0 } as const;

const folder = temporaryFolder();

const build = (device: string, seed = 7) =>
  compiled(classifier('LSTM1', { dropout: 0.2 }), { steps: STEPS, optimizer: 'adam', device, seed });

describeOnGpu('training', () => {
  it('the GPU is the first choice, and the model says so', () => {
    expect(devices()[0]?.name).toBe(GPU);
    using model = build('auto');
    expect(model.device).toContain(GPU);
  });

  it.each([
    ['a layer', () => classifier('LSTM', { dropout: 0.3 }), STEPS],
    ['a stack', () => stack('LSTM5'), STEPS],
    ['convolutions', () => convolutions('LSTM3'), 400],
  ])('%s: the same seed gives the same bits, another one others', async (_, layersOf, steps) => {
    const data = tokenRows(96, steps, 50, 4);
    const results = [];
    for (const seed of [7, 7, 7, 8]) {
      using model = compiled(layersOf(), { steps, optimizer: 'rmsprop', device: GPU, seed });
      const { history } = await model.fit(data.x, data.y, training);
      results.push({ weights: weightBytes(model).toString('hex'), history });
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(results[3]?.weights).not.toBe(results[0]?.weights);
  });

  it('a run that goes on from a checkpoint ends with the bits of one that was never interrupted', async () => {
    using whole = build(GPU);
    await whole.fit(x, y, training);
    const path = join(folder, 'checkpoint');
    using begun = build(GPU);
    await begun.fit(x, y, { ...training, epochs: 1 });
    await begun.save(path);
    using resumed = await loadModel(path, { device: GPU });
    await resumed.fit(x, y, { ...training, initialEpoch: 1 });
    expect(weightBytes(resumed).equals(weightBytes(whole))).toBe(true);
  });

  it('a model saved on one device predicts the same on the other', async () => {
    for (const [from, to] of [
      [GPU, 'cpu'],
      ['cpu', GPU],
    ] as const) {
      using model = build(from);
      await model.fit(x, y, { ...training, epochs: 1 });
      const path = join(folder, `from-${from === 'cpu' ? 'cpu' : 'gpu'}`);
      await model.save(path);
      using loaded = await loadModel(path, { device: to });
      expect(weightBytes(loaded).equals(weightBytes(model))).toBe(true);
      expect(apart({ output: await model.predict(x) }, { output: await loaded.predict(x) }, 1e-5)).toEqual([]);
    }
  });

  it('batches of all sizes, validation and early stopping go together', async () => {
    using model = build(GPU);
    const { history } = await model.fit(x, y, {
      epochs: 4,
      // 77 rows train: the last batch has 11.
      validationSplit: 0.2,
      batchSize: 22,
      validationBatchSize: 7,
      verbose: 0,
      callbacks: [callbacks.earlyStopping({ monitor: 'val_loss', patience: 5, restoreBestWeights: true })],
    });
    expect(history.val_loss).toHaveLength(4);
    expect(history.val_loss?.every(Number.isFinite)).toBe(true);
    for (const batchSize of [1, 5, 96]) {
      expect((await model.predict(x, { batchSize })).shape).toEqual([96, 4]);
    }
  });

  it('rows alone give what they give among others', async () => {
    using model = build(GPU);
    const all = await model.predict(x, { batchSize: 96 });
    const alone = await model.predict(x, { batchSize: 1 });
    expect(apart({ output: all }, { output: alone }, 1e-5)).toEqual([]);
  });

  it('an abort ends it within a step, and the model stays usable', async () => {
    const long = tokenRows(20_000, STEPS, 50, 4);
    using model = build(GPU);
    await expect(
      model.fit(long.x, long.y, { epochs: 1000, batchSize: 8, verbose: 0, signal: AbortSignal.timeout(400) }),
    ).rejects.toMatchObject({ name: 'TimeoutError' });
    expect((await model.evaluate(x, y)).loss).toBeGreaterThan(0);
    await model.fit(x, y, training);
  });

  it('layers are timed on it', async () => {
    const size = { steps: 20, batch: 8, inputSize: 6, units: 16, repeats: 3, device: GPU };
    for (const variant of ['LSTM', 'LSTM10']) {
      const { device, forward, training: both } = await timeLayer({ ...size, variant });
      expect(device).toContain(GPU);
      expect([...forward, ...both].every((milliseconds) => milliseconds > 0)).toBe(true);
      expect(both).toHaveLength(3);
    }
  });
});
