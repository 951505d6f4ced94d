/** The addon's own face: nothing that is handed to it harms the process. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { timeLayer } from '../../src/index.js';
import { loadNative } from '../../src/load-native.js';
import type { NativeModelSpec, NativeTimingOptions } from '../../src/native.js';
import { dense, lstm } from '../native-models.js';

const spec: NativeModelSpec = { tokenInput: false, inputShape: [4, 3], layers: [lstm('lstm', 3, 5)] };
const options: NativeTimingOptions = {
  ...{ device: 'cpu', threads: 1, precision: 'float32', seed: 1, data: null },
  ...{ batch: 2, inputGradient: false, warmups: 0, rounds: 2 },
};

test.each<[string, unknown, unknown, unknown, RegExp]>([
  ['no specifications', null, options, null, /for specs/],
  ['an empty list of them', [], options, null, /a model or more/],
  ['what is none', [7], options, null, /an object for spec/],
  ['options without a device', [spec], {}, null, /for device/],
  ['a precision that is none', [spec], { ...options, precision: 'half' }, null, /for precision/],
  ['a batch of 0', [spec], { ...options, batch: 0 }, null, /for batch/],
  ['no rounds', [spec], { ...options, rounds: 0 }, null, /for rounds/],
  ['part of a warm turn', [spec], { ...options, warmups: 0.5 }, null, /for warmups/],
  ['a flag that is none', [spec], { ...options, inputGradient: 1 }, null, /for inputGradient/],
  ['data that is none', [spec], { ...options, data: {} }, null, /for data/],
  ['a listener that is none', [spec], options, 'tell me', /for onProgress/],
  ['layers of two shapes', [spec, { ...spec, layers: [lstm('lstm', 3, 6)] }], options, null, /they differ/],
])('%s is refused', async (_what, specs, given, listener, message) => {
  const { result, dispose } = loadNative().timeLayers(
    specs as NativeModelSpec[],
    given as NativeTimingOptions,
    listener as null,
  );
  await expect(result).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(message) });
  dispose();
});

test('a run that is disposed of ends as aborted, however often and whenever that is done', async () => {
  const layers = [dense('dense', 64, 64, 'linear')];
  const run = loadNative().timeLayers(
    [{ tokenInput: false, inputShape: [64], layers }],
    { ...options, rounds: 2 ** 40 },
    null,
  );
  run.dispose();
  run.dispose();
  expect((await run.result).aborted).toBe(true);
  run.dispose();
});

test('workers ended in the middle of a timing leave the process alive', async () => {
  for (let i = 0; i < 6; i++) {
    const worker = new Worker(new URL('./timing-worker.mjs', import.meta.url));
    expect(await once(worker, 'message')).toEqual(['timing']);
    if (i % 2 > 0) await new Promise((resolve) => setTimeout(resolve, 5 * i));
    expect(await worker.terminate()).toBe(1);
  }
  const { forward } = await timeLayer({ steps: 3, batch: 1, inputSize: 2, units: 2, repeats: 2, threads: 1 });
  expect(forward).toHaveLength(2);
});
