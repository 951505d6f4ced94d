// A worker that trains without end, on the CPU or the device it is given; it tells its parent once the training runs. It
// uses the addon itself: workers load no TypeScript.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const addon = require('node-gyp-build')(fileURLToPath(new URL('..', import.meta.url)));

const steps = 100;
const rows = 500;
const dense = (name, inputs, units, activation) => ({
  kind: 'dense',
  name,
  units,
  activation,
  useBias: false,
  parameters: [
    { name: `${name}/kernel`, shape: [inputs, units], initializer: { kind: 'glorotUniform' }, trainable: true },
  ],
});
const model = addon.createModel(
  {
    tokenInput: false,
    inputShape: [steps],
    layers: [dense('a', steps, 256, 'relu'), dense('b', 256, 256, 'tanh'), dense('c', 256, 4, 'softmax')],
  },
  { device: workerData?.device ?? 'cpu', threads: 2, precision: 'float32', seed: 1 },
);
model.compile({ optimizer: { kind: 'rmsprop' }, loss: 'sparseCategoricalCrossentropy', topK: 0 });
const data = addon.createDataset({ rows, inputWidth: steps, vocabulary: 0, targetWidth: 1, classes: 4 });
data.appendInputs(new Float32Array(rows * steps).fill(0.5));
data.appendTargets(new Int32Array(rows));

let told = false;
for (let epoch = 0; ; epoch++) {
  const job = { data, begin: 0, end: rows, batchSize: 1, epoch, shuffle: true, learningRate: 1e-3 };
  const run = model.train({ ...job, firstStep: 0, maxSteps: 0 }, () => {});
  if (!told) parentPort.postMessage('training');
  told = true;
  await run;
}
