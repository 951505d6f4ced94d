// Trains a model for so many epochs; says 'training' at every progress event and gives a kernel's weights at the end.

import { parentPort, workerData } from 'node:worker_threads';

const { bundle, epochs, threads } = workerData;
const { layers, sequential } = await import(bundle);
const [rows, steps] = [6400, 50];
const model = sequential(
  [
    layers.embedding({ inputDim: 40, outputDim: 16 }),
    layers.lstm({ units: 32 }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ],
  { inputShape: [steps], seed: 1, threads },
);
model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
const data = Int32Array.from({ length: rows * steps }, (_, i) => (i * 7919) % 40);
const y = Int32Array.from({ length: rows }, (_, row) => row % 2);
await model.fit({ data, shape: [rows, steps] }, y, {
  epochs,
  verbose: 0,
  callbacks: [{ onProgress: () => parentPort.postMessage('training') }],
});
const kernel = model.weights()['dense/kernel'].data;
parentPort.postMessage(Array.from(kernel));
