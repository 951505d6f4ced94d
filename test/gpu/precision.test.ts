/** Whole networks on the GPU in each precision beside the CPU, which computes in float32. */

import { expect, it } from 'vitest';
import { precisionOn } from '../../src/devices.js';
import { variants } from '../../src/index.js';
import { apart, classifier, compiled, convolutions, describeOnGpu, GPU, onBoth, stack, tokenRows } from './gpu.js';

const NAMES = Object.keys(variants);

// Few enough that the cells of LSTM4a, LSTM5a and LSTM6, which add up what they see, do not saturate: there the slope of
// tanh makes much of a small difference.
const STEPS = 9;

describeOnGpu.each([
  ['float32', 1e-5],
  ['tf32', 2e-3],
  ['bfloat16', 2e-2],
] as const)('in %s', (asked, toleranceOfAsked) => {
  const precision = precisionOn(GPU, asked);
  const tolerance = precision === 'float32' ? 1e-5 : toleranceOfAsked;

  it.each(NAMES)('%s: predictions, losses and gradients are as close to the CPU as it is', async (variant) => {
    const { x, y } = tokenRows(37, STEPS, 50, 4);
    for (const network of [classifier(variant), stack(variant)]) {
      const [cpu, gpu] = await onBoth(
        (device) => compiled(network, { steps: STEPS, device, precision }),
        async (model) => ({
          arrays: { output: await model.predict(x, { batchSize: 16 }), ...(await model.gradients(x, y)) },
          loss: (await model.evaluate(x, y, { batchSize: 16 })).loss as number,
        }),
      );
      expect(apart(cpu.arrays, gpu.arrays, tolerance)).toEqual([]);
      expect(Math.abs(gpu.loss - cpu.loss) / cpu.loss).toBeLessThan(tolerance);
    }
  });

  // Where rounding moves a number over zero, or another one of a pool to the top, gradients go elsewhere.
  it('predictions and losses behind convolutions are as close to the CPU as it is', async () => {
    const { x, y } = tokenRows(37, 400, 50, 4);
    const [cpu, gpu] = await onBoth(
      (device) => compiled(convolutions('LSTM3'), { steps: 400, device, precision }),
      async (model) => ({ output: await model.predict(x), loss: (await model.evaluate(x, y)).loss as number }),
    );
    expect(apart({ output: cpu.output }, { output: gpu.output }, tolerance)).toEqual([]);
    expect(Math.abs(gpu.loss - cpu.loss) / cpu.loss).toBeLessThan(tolerance);
  });

  it('the same seed gives the same bits', async () => {
    const { x, y } = tokenRows(64, 40, 50, 4, 3);
    const runs = [];
    for (let run = 0; run < 3; run++) {
      using model = compiled(classifier('LSTM', { units: 128, dropout: 0.2 }), { steps: 40, device: GPU, precision });
      await model.fit(x, y, { epochs: 2, batchSize: 16, verbose: 0 });
      runs.push(model.weights());
    }
    const [first = {}, ...others] = runs;
    for (const other of others) expect(apart(first, other, 0)).toEqual([]);
  });

  it('a network learns what it learns on the CPU', async () => {
    const { x, y } = tokenRows(512, 17, 50, 4, 9);
    const [cpu, gpu] = await onBoth(
      (device) => compiled(classifier('LSTM3', { units: 32 }), { steps: 17, optimizer: 'adam', device, precision }),
      async (model) => {
        const { history } = await model.fit(x, y, { epochs: 12, batchSize: 32, verbose: 0 });
        return history.loss as readonly number[];
      },
    );
    expect(gpu.at(-1)).toBeLessThan((gpu[0] as number) / 2);
    expect(gpu.at(-1)).toBeCloseTo(cpu.at(-1) as number, 1);
  });
});

describeOnGpu('precisions', () => {
  it('differ in their bits, so none is silently another', async () => {
    const { x } = tokenRows(37, 21, 50, 4);
    const outputs = [];
    for (const asked of ['float32', 'tf32', 'bfloat16'] as const) {
      using model = compiled(classifier('LSTM', { units: 64 }), { steps: 21, device: GPU, precision: asked });
      const used = precisionOn(GPU, asked);
      if (used !== 'float32') expect(model.device).toContain(used);
      if (used === asked) outputs.push((await model.predict(x)).data);
    }
    for (const [i, output] of outputs.entries()) {
      for (const other of outputs.slice(0, i)) expect(output).not.toEqual(other);
    }
  });
});
