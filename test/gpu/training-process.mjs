// Trains on the GPU for so many epochs, in a worker or in a process of its own; tells 'training' once it runs and in the
// end the weights' bytes. Uses the compiled package, as workers load no TypeScript.

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { layers, sequential } from '../../dist/index.js';

const { device, epochs, seed } = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const tell = isMainThread ? (message) => console.log(message) : (message) => parentPort.postMessage(message);

const [rows, steps] = [2000, 40];
const model = sequential(
  [
    layers.embedding({ inputDim: 40, outputDim: 16 }),
    layers.lstm({ units: 96, dropout: 0.1 }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ],
  { inputShape: [steps], device, seed },
);
model.compile({ optimizer: 'rmsprop', loss: 'sparseCategoricalCrossentropy' });
const data = Int32Array.from({ length: rows * steps }, (_, i) => (i * 7919) % 40);
const y = Int32Array.from({ length: rows }, (_, row) => row % 2);
let told = false;
await model.fit({ data, shape: [rows, steps] }, y, {
  epochs,
  batchSize: 50,
  verbose: 0,
  stepsPerCall: 5,
  callbacks: [
    {
      onStepsEnd() {
        if (!told) tell('training');
        told = true;
      },
    },
  ],
});
const bytes = Object.values(model.weights()).map(({ data: values }) => Buffer.from(values.buffer).toString('base64'));
model.dispose();
tell(`weights ${bytes.join()}`);
