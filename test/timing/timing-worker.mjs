// A worker that times without end; it tells its parent at every progress. It uses the addon itself: workers load no
// TypeScript.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parentPort } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const addon = require('node-gyp-build')(fileURLToPath(new URL('../..', import.meta.url)));

const layer = {
  kind: 'dense',
  name: 'dense',
  units: 64,
  activation: 'linear',
  useBias: false,
  parameters: [{ name: 'dense/kernel', shape: [64, 64], initializer: { kind: 'glorotUniform' }, trainable: true }],
};
addon.timeLayers(
  [{ tokenInput: false, inputShape: [64], layers: [layer] }],
  {
    device: 'cpu',
    threads: 2,
    precision: 'float32',
    seed: 1,
    data: null,
    batch: 64,
    inputGradient: false,
    warmups: 0,
    rounds: 2 ** 40,
  },
  () => parentPort.postMessage('timing'),
);
