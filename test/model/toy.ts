/** A small problem that a small network learns in seconds: does a sequence hold more small ids than large ones? */

import { type Layer, layers, type Model, optimizers, type SequentialOptions, sequential } from '../../src/index.js';

export const STEPS = 12;
export const VOCABULARY = 40;

/** Numbers in [0, 1) that are the same in every run. */
export function* numbers(seed = 1): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

export function toyData(rows: number, seed = 1, steps = STEPS) {
  const random = numbers(seed);
  const x = {
    data: Int32Array.from({ length: rows * steps }, () => Math.floor(random.next().value * VOCABULARY)),
    shape: [rows, steps],
  };
  const y = Int32Array.from({ length: rows }, (_, row) => {
    const ids = x.data.subarray(row * steps, (row + 1) * steps);
    return ids.filter((id) => id < VOCABULARY / 2).length * 2 > steps ? 1 : 0;
  });
  return { x, y };
}

export function toyLayers(): Layer[] {
  return [
    layers.embedding({ inputDim: VOCABULARY, outputDim: 8 }),
    layers.dropout({ rate: 0.1 }),
    layers.bidirectional(layers.lstm({ units: 8, variant: 'LSTM3', dropout: 0.1, recurrentDropout: 0.2 })),
    layers.dense({ units: 2, activation: 'softmax' }),
  ];
}

/** Compiled, seeded, on one thread unless told otherwise. */
export function toyModel(options: SequentialOptions = {}): Model {
  const model = sequential(toyLayers(), { inputShape: [STEPS], device: 'cpu', seed: 3, threads: 1, ...options });
  model.compile({
    optimizer: optimizers.adam({ learningRate: 0.01 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return model;
}

/** All weights as one array of bytes, to be compared bit by bit. */
export function weightBytes(model: Model): Buffer {
  const arrays = Object.values(model.weights()).map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  );
  return Buffer.concat(arrays);
}

/** A network and data for which one step takes long enough for a run to be interrupted in its middle. */
export function longRun(): { model: Model; x: { data: Int32Array; shape: number[] }; y: Int32Array } {
  const steps = 100;
  const { x, y } = toyData(6400, 5, steps);
  const model = sequential(
    [
      layers.embedding({ inputDim: VOCABULARY, outputDim: 32 }),
      layers.lstm({ units: 64 }),
      layers.dense({ units: 2, activation: 'softmax' }),
    ],
    { inputShape: [steps], device: 'cpu', seed: 1, threads: 1 },
  );
  model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return { model, x, y };
}
