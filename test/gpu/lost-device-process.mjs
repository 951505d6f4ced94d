// Trains on the GPU, saves after every epoch and, in the middle of the third, loses the GPU by opening a library that
// does so. Tells what came of it. Uses the compiled package, as that of a user.

import { callbacks, layers, loadModel, sequential } from '../../dist/index.js';

const { device, library, checkpoint } = JSON.parse(process.argv[2]);
const [rows, steps] = [4000, 40];
const data = Int32Array.from({ length: rows * steps }, (_, i) => (i * 7919) % 40);
const x = { data, shape: [rows, steps] };
const y = Int32Array.from({ length: rows }, (_, row) => row % 2);
const training = { batchSize: 8, verbose: 0 };

const network = (where) => {
  const model = sequential(
    [
      layers.embedding({ inputDim: 40, outputDim: 16 }),
      layers.lstm({ units: 96 }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ],
    { inputShape: [steps], device: where, seed: 3 },
  );
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  return model;
};
const errorOf = async (work) => {
  try {
    await work();
    return null;
  } catch ({ name, message }) {
    return { name, message };
  }
};

const model = network(device);
let weights = null;
let opened = false;
const lost = await errorOf(() =>
  model.fit(x, y, {
    ...training,
    epochs: 9,
    callbacks: [
      callbacks.modelCheckpoint(checkpoint),
      {
        onEpochEnd(epoch) {
          if (epoch === 1) weights = model.weights();
        },
        onProgress({ epoch }) {
          if (epoch < 2 || opened) return;
          opened = true;
          try {
            process.dlopen({ exports: {} }, library);
          } catch {
            // It is no addon, which is found once it was opened.
          }
        },
      },
    ],
  }),
);
const again = await errorOf(() => model.predict(x));
model.dispose();
const restored = await loadModel(checkpoint, { device: 'cpu' });
const whole = Object.entries(restored.weights()).every(([name, { data: values }]) =>
  Buffer.from(values.buffer).equals(Buffer.from(weights[name].data.buffer)),
);
const { epoch } = await restored.fit(x, y, { ...training, batchSize: 500, initialEpoch: 2, epochs: 3 });
console.log(JSON.stringify({ lost, again, whole, epoch }));
