/** Specifications of small models for the tests of the addon's face. */

import { loadNative } from '../src/load-native.js';
import type {
  NativeBlock,
  NativeDataset,
  NativeLayerSpec,
  NativeModel,
  NativeModelSpec,
  NativeParameterSpec,
  NativeTrainingSpec,
} from '../src/native.js';

function parameter(name: string, shape: number[], kind: 'glorotUniform' | 'zeros' | 'orthogonal'): NativeParameterSpec {
  return { name, shape, initializer: { kind }, trainable: true };
}

export function dense(
  name: string,
  inputs: number,
  units: number,
  activation: 'relu' | 'tanh' | 'softmax' | 'linear',
): NativeLayerSpec {
  return {
    kind: 'dense',
    name,
    units,
    activation,
    useBias: true,
    parameters: [
      parameter(`${name}/kernel`, [inputs, units], 'glorotUniform'),
      parameter(`${name}/bias`, [units], 'zeros'),
    ],
  };
}

export function embedding(name: string, inputDim: number, outputDim: number): NativeLayerSpec {
  return {
    kind: 'embedding',
    name,
    inputDim,
    outputDim,
    maskZero: false,
    parameters: [
      {
        name: `${name}/embeddings`,
        shape: [inputDim, outputDim],
        initializer: { kind: 'uniform', low: -0.5, high: 0.5 },
        trainable: true,
      },
    ],
  };
}

export function lstm(name: string, inputs: number, units: number): NativeLayerSpec {
  const block: NativeBlock = { input: true, recurrent: 'full', bias: true };
  return {
    kind: 'lstm',
    name,
    units,
    blocks: [block, block, block, block],
    activation: 'tanh',
    recurrentActivation: 'sigmoid',
    dropout: 0.1,
    recurrentDropout: 0.1,
    returnSequences: false,
    goBackwards: false,
    implementation: 'auto',
    parameters: [
      parameter(`${name}/kernel`, [inputs, 4 * units], 'glorotUniform'),
      parameter(`${name}/recurrent_kernel`, [units, 4 * units], 'orthogonal'),
      parameter(`${name}/bias`, [4 * units], 'zeros'),
    ],
  };
}

/** Token ids below 10, sequences of `steps`, three classes. */
export function tokenModel(steps = 12, units = 8): NativeModelSpec {
  return {
    tokenInput: true,
    inputShape: [steps],
    layers: [embedding('embedding', 10, 6), lstm('lstm', 6, units), dense('dense', units, 3, 'softmax')],
  };
}

/** Two numbers in, two classes out. */
export function rowModel(): NativeModelSpec {
  return {
    tokenInput: false,
    inputShape: [2],
    layers: [dense('dense', 2, 8, 'tanh'), dense('dense_1', 8, 2, 'softmax')],
  };
}

export const sparseTraining: NativeTrainingSpec = {
  optimizer: { kind: 'adam' },
  loss: 'sparseCategoricalCrossentropy',
  topK: 0,
};

export function compiledModel(spec: NativeModelSpec, threads = 1, seed = 3): NativeModel {
  const model = loadNative().createModel(spec, { device: 'cpu', threads, precision: 'float32', seed });
  model.compile(sparseTraining);
  return model;
}

/** Sequences whose class is that of the token 1, 2 or 3 which occurs in them once among tokens above 3. */
export function tokenData(rows: number, steps = 12): NativeDataset {
  const inputs = new Int32Array(rows * steps);
  const targets = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    targets[row] = (row * 7) % 3;
    for (let step = 0; step < steps; step++) inputs[row * steps + step] = 4 + ((row * 31 + step * 17 + row * step) % 6);
    inputs[row * steps + ((row * 5) % steps)] = 1 + (targets[row] ?? 0);
  }
  const data = loadNative().createDataset({ rows, inputWidth: steps, vocabulary: 10, targetWidth: 1, classes: 3 });
  data.appendInputs(inputs);
  data.appendTargets(targets);
  return data;
}

/** Points whose class says on which side of a line they lie. */
export function rowData(rows: number): NativeDataset {
  const inputs = new Float32Array(rows * 2);
  const targets = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const x = Math.sin(row * 12.9898);
    const y = Math.cos(row * 78.233);
    inputs.set([x, y], row * 2);
    targets[row] = x + 0.5 * y > 0.1 ? 1 : 0;
  }
  const data = loadNative().createDataset({ rows, inputWidth: 2, vocabulary: 0, targetWidth: 1, classes: 2 });
  data.appendInputs(inputs);
  data.appendTargets(targets);
  return data;
}
