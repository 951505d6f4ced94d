/** Whole networks on the GPU beside the CPU: predictions, losses, gradients and steps of training. */

import { expect, it } from 'vitest';
import { type Layer, variants } from '../../src/index.js';
import { apart, classifier, compiled, convolutions, describeOnGpu, onBoth, stack, tokenRows } from './gpu.js';

const NAMES = Object.keys(variants);
const TOLERANCE = 1e-5;

const networks: [name: string, steps: number, layers: (variant: string) => Layer[]][] = [
  ['a layer behind an embedding', 21, (variant) => classifier(variant)],
  ['stacked layers in both directions with dropout', 13, stack],
  ['convolutions before a layer in both directions', 400, convolutions],
];

describeOnGpu.each(networks)('%s', (_, steps, layersOf) => {
  const { x, y } = tokenRows(37, steps, 50, 4);

  it.each(NAMES)('%s: predictions, loss and gradients are those of the CPU', async (variant) => {
    const [cpu, gpu] = await onBoth(
      (device) => compiled(layersOf(variant), { steps, device }),
      async (model) => ({
        // The last batch is smaller.
        arrays: { output: await model.predict(x, { batchSize: 16 }), ...(await model.gradients(x, y)) },
        // With dropout: the masks are the same on every device.
        dropped: await model.gradients(x, y, { training: true }),
        loss: (await model.evaluate(x, y, { batchSize: 16 })).loss as number,
      }),
    );
    expect(apart(cpu.arrays, gpu.arrays, TOLERANCE)).toEqual([]);
    expect(apart(cpu.dropped, gpu.dropped, TOLERANCE)).toEqual([]);
    expect(Math.abs(gpu.loss - cpu.loss) / cpu.loss).toBeLessThan(TOLERANCE);
  });
});

describeOnGpu('steps of training', () => {
  const steps = 17;
  const { x, y } = tokenRows(48, steps, 50, 4, 3);

  // What divides by the size of a gradient makes much of a small difference.
  it.each([
    ['sgd', 1e-5],
    ['rmsprop', 1e-3],
    ['adam', 1e-3],
    ['adamw', 1e-3],
  ] as const)('%s: the weights after two epochs are those of the CPU', async (optimizer, tolerance) => {
    for (const variant of ['LSTM', 'LSTM3', 'LSTM11']) {
      const [cpu, gpu] = await onBoth(
        (device) => compiled(classifier(variant, { dropout: 0.2 }), { steps, optimizer, device }),
        async (model) => {
          await model.fit(x, y, { epochs: 2, batchSize: 16, verbose: 0, classWeight: { 0: 2 } });
          return model.weights();
        },
      );
      expect(apart(cpu, gpu, tolerance)).toEqual([]);
    }
  });

  it('learning goes as on the CPU', async () => {
    const data = tokenRows(512, steps, 50, 4, 9);
    const [cpu, gpu] = await onBoth(
      (device) => compiled(classifier('LSTM3', { units: 32 }), { steps, optimizer: 'adam', device }),
      async (model) => {
        const { history } = await model.fit(data.x, data.y, { epochs: 12, batchSize: 32, verbose: 0 });
        return history.loss as readonly number[];
      },
    );
    expect(gpu.at(-1)).toBeLessThan((gpu[0] as number) / 2);
    expect(gpu.at(-1)).toBeCloseTo(cpu.at(-1) as number, 1);
  });
});
