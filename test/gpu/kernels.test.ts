/** Every kernel of the recurrence, forced in turn, in networks of sizes that fill several blocks. */

import { afterEach, expect, it, vi } from 'vitest';
import { InvalidArgumentError, variants } from '../../src/index.js';
import { apart, classifier, compiled, describeOnGpu, GPU, gpuFacts, onBoth, tokenRows } from './gpu.js';

// Few enough that the cells of LSTM4a, LSTM5a and LSTM6, which add up what they see, do not saturate: there the slope of
// tanh is a difference of nearly equal numbers, and two devices that round otherwise differ by more than a rounding.
const STEPS = 20;
const SCANS = ['LSTM10', 'LSTM11', 'LSTM_C6'];
const { x, y } = tokenRows(70, STEPS, 50, 4, 5);

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Units that a kernel serves, of any variant; a number is the blocks of a team. */
const teams = {
  block: [20, 40],
  'cluster:2': [40],
  cluster: [60, 128],
  'grid:3': [40],
  grid: [130, 256],
  graph: [40, 130],
};
const scans = { scan: [40, 130], graph: [40, 130] };

const hasClusters = Number(gpuFacts()?.computeCapability ?? 0) >= 9;

const cases = Object.keys(variants).flatMap((variant) =>
  Object.entries(SCANS.includes(variant) ? scans : teams)
    .filter(([kernel]) => hasClusters || !kernel.startsWith('cluster'))
    .map(([kernel, sizes]) => [variant, kernel, sizes] as const),
);

describeOnGpu('a forced kernel', () => {
  it.each(cases)('%s by %s is as the CPU has it, with the same bits each time', async (variant, kernel, sizes) => {
    vi.stubEnv('SLIM_LSTM_KERNEL', kernel);
    for (const units of sizes) {
      const [cpu, [first, ...others]] = await onBoth(
        (device) => compiled(classifier(variant, { units, inputSize: 33 }), { steps: STEPS, device }),
        async (model) => {
          const runs = [];
          for (let run = 0; run < 4; run++) {
            runs.push({ output: await model.predict(x, { batchSize: 70 }), ...(await model.gradients(x, y)) });
          }
          return runs;
        },
      );
      expect(apart(cpu[0] ?? {}, first ?? {}, 1e-5)).toEqual([]);
      for (const run of others) expect(apart(first ?? {}, run, 0)).toEqual([]);
    }
  });

  it.each(Object.keys(variants))('%s: the own choice serves 16 to 512 units', async (variant) => {
    for (const units of [16, 128, 129, 256, 512]) {
      const [cpu, gpu] = await onBoth(
        (device) => compiled(classifier(variant, { units, inputSize: 40 }), { steps: STEPS, device }),
        (model) => model.gradients(x, y, { batchSize: 70 }),
      );
      expect(apart(cpu, gpu, 2e-5)).toEqual([]);
    }
  });

  it('that there is not, or that does not serve, is refused and leaves other models usable', async () => {
    for (const [kernel, words] of [
      ['fast', /Expected scan, block, cluster, grid or graph for SLIM_LSTM_KERNEL but received fast/],
      ['scan', /scan: units see each other/],
    ] as const) {
      vi.stubEnv('SLIM_LSTM_KERNEL', kernel);
      using model = compiled(classifier('LSTM'), { steps: STEPS, device: GPU });
      vi.unstubAllEnvs();
      for (let time = 0; time < 2; time++) {
        const refused = model.predict(x);
        await expect(refused).rejects.toBeInstanceOf(InvalidArgumentError);
        await expect(refused).rejects.toThrow(words);
      }
    }
    using model = compiled(classifier('LSTM'), { steps: STEPS, device: GPU });
    expect((await model.predict(x)).shape).toEqual([70, 4]);
  });
});
