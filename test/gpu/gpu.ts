/** What the tests on a GPU share. Without a GPU they are skipped, by name. */

import { describe } from 'vitest';
import { kentSalemLayers } from '../../src/experiments/kent-salem.js';
import { devices, type Layer, layers, type Model, type SequentialOptions, sequential } from '../../src/index.js';
import { loadNative } from '../../src/load-native.js';
import type { NativeCudaDevice } from '../../src/native.js';
import type { Tensor } from '../../src/tensor.js';
import { numbers } from '../model/toy.js';
import { distance } from '../operations/fixture.js';

const gpus = devices().filter(({ name }) => name.startsWith('cuda'));
const gpu = gpus.find(({ usable }) => usable);

// Where there is one, to skip would be to hide why it cannot be used.
if (gpu === undefined && process.env.SLIM_LSTM_EXPECT_GPU) {
  throw new Error(`Expected a GPU that can be used: ${gpus.map(({ reason }) => reason).join('; ')}`);
}

/** The GPU's name among the devices; of no use where the tests are skipped. */
export const GPU = gpu?.name ?? 'cuda';

export const noGpu = gpu === undefined;

export const describeOnGpu = describe.skipIf(noGpu);

/** What the driver tells of it. */
export function gpuFacts(): NativeCudaDevice | undefined {
  return loadNative()
    .cuda()
    .devices.find(({ index }) => `cuda:${index}` === GPU);
}

/** Rows of token ids, padded in front with id 0, and a class for each. */
export function tokenRows(rows: number, steps: number, vocabulary: number, classes: number, seed = 1) {
  const random = numbers(seed);
  const below = (count: number) => Math.floor((random.next().value as number) * count);
  const data = new Int32Array(rows * steps);
  const y = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    y[row] = below(classes);
    const length = 1 + below(steps);
    // The class's own token is among the others.
    for (let step = steps - length; step < steps; step++) {
      data[row * steps + step] =
        below(4) === 0 ? 1 + (y[row] as number) : 1 + classes + below(vocabulary - classes - 1);
    }
  }
  return { x: { data, shape: [rows, steps] }, y };
}

export const VOCABULARY = 50;
export const CLASSES = 4;

export interface LayerSize {
  readonly units?: number;
  readonly inputSize?: number;
  readonly dropout?: number;
}

/** An embedding whose padding is skipped, the layer and a softmax. */
export function classifier(variant: string, { units = 24, inputSize = 12, dropout = 0 }: LayerSize = {}): Layer[] {
  return [
    layers.embedding({ inputDim: VOCABULARY, outputDim: inputSize, maskZero: true }),
    layers.lstm({ units, variant, dropout, recurrentDropout: dropout }),
    layers.dense({ units: CLASSES, activation: 'softmax' }),
  ];
}

/** Stacked, in both directions. */
export function stack(variant: string): Layer[] {
  return [
    layers.embedding({ inputDim: VOCABULARY, outputDim: 10, maskZero: true }),
    layers.bidirectional(
      layers.lstm({ units: 9, variant, returnSequences: true, dropout: 0.2, recurrentDropout: 0.3 }),
    ),
    layers.lstm({ units: 7, variant, goBackwards: true }),
    layers.dense({ units: CLASSES, activation: 'softmax' }),
  ];
}

/** The network of Kent & Salem with fewer filters and units; 400 steps leave two to its LSTM. */
export function convolutions(variant: string): Layer[] {
  return kentSalemLayers({ words: VOCABULARY, classes: CLASSES, embeddingSize: 11, filters: 13, units: 10, variant });
}

export interface Built extends SequentialOptions {
  readonly steps: number;
  readonly optimizer?: 'sgd' | 'adam' | 'rmsprop' | 'adamw';
}

export function compiled(network: readonly Layer[], { steps, optimizer = 'sgd', ...options }: Built): Model {
  const model = sequential(network, { inputShape: [steps], seed: 7, ...options });
  model.compile({ optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

/** Both at once, the CPU first; they are freed when the test is done with them. */
export async function onBoth<T>(build: (device: string) => Model, use: (model: Model) => Promise<T>): Promise<[T, T]> {
  const results: T[] = [];
  for (const device of ['cpu', GPU]) {
    using model = build(device);
    results.push(await use(model));
  }
  return results as [T, T];
}

/** Names of the arrays that are further apart than that, with their relative errors; there are no others. */
export function apart(
  expected: Readonly<Record<string, Tensor>>,
  actual: Readonly<Record<string, Tensor>>,
  tolerance: number,
): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])];
  return names.flatMap((name) => {
    const error = distance(actual[name]?.data ?? [], expected[name]?.data ?? []);
    return error <= tolerance ? [] : [`${name}: ${error}`];
  });
}
