/** Cases of `test/oracle/` built through the public interface, run, and compared with what the oracle found. */

import { expect, it } from 'vitest';
import { layers, type Model, optimizers, sequential } from '../../src/index.js';
import type { Tensor } from '../../src/tensor.js';
import { readIndex, relativeError, type Stored, StoredValues } from './fixture.js';
import { type DataDescription, inputsOf, targetsOf, weightsOf } from './formula.js';

/** A layer as the fixtures describe it: its factory's name and its options; `layer` is what bidirectional wraps. */
export interface LayerDescription {
  readonly type: keyof typeof layers;
  readonly layer?: LayerDescription;
  readonly inputDim?: number;
}

export interface Case extends DataDescription {
  readonly name: string;
  readonly layers: readonly LayerDescription[];
  /** Whether the gradients are taken with random masks, and the model's seed. */
  readonly training: boolean;
  readonly seed: number;
  readonly expectedLoss: number;
  readonly results: readonly (readonly [name: string, size: number])[];
}

/** Where the cases run. On a GPU the oracle says the same of it. */
export const DEVICE = process.env.SLIM_LSTM_TEST_DEVICE ?? 'cpu';

type Layer = Parameters<typeof sequential>[0][number];
type Factory = (options: object) => Layer;

export function layerOf({ type, layer, ...options }: LayerDescription): Layer {
  if (type !== 'bidirectional') return (layers[type] as Factory)(options);
  if (layer === undefined) throw new Error('The fixture names no layer for bidirectional');
  return layers.bidirectional(
    layerOf(layer) as ReturnType<typeof layers.lstm>,
    options as Parameters<typeof layers.bidirectional>[1],
  );
}

export interface NetworkDescription extends DataDescription {
  readonly layers: readonly LayerDescription[];
}

/** The model with its weights set; they are checked to be those that the oracle names, in its order. */
export function modelOf(described: NetworkDescription, seed = 0): Model {
  const model = sequential(described.layers.map(layerOf), {
    inputShape: [...described.inputShape],
    device: DEVICE,
    seed,
  });
  const shapes = Object.entries(model.weights()).map(([name, tensor]) => [name, tensor.shape]);
  expect(shapes).toEqual(described.weights.map(([name, shape]) => [name, shape]));
  model.setWeights(weightsOf(described));
  return model;
}

/** The largest relative error that float32 may leave in a result of the oracle's float64. */
export const TOLERANCE = 1e-5;

export interface Comparison {
  /** Default {@link TOLERANCE}. */
  readonly tolerance?: number;
  /** Rows of a batch; the whole case is one by default. */
  readonly batchSize?: number;
  /** Which cases of the group; all by default. */
  readonly only?: (described: Case) => boolean;
}

/** One test for each case of a group. */
export function compareWithOracle(group: string, { only = () => true, ...comparison }: Comparison = {}): void {
  const stored = new StoredValues(group);
  const { cases } = readIndex(group) as { cases: Case[] };
  for (const described of cases) {
    const expected = described.results.map(([name, size]) => [name, stored.next(size)] as const);
    if (only(described)) it(described.name, () => compare(described, new Map(expected), comparison));
  }
  it(`finds its cases in the fixture of ${group}`, () => {
    expect(cases.filter(only).length).toBeGreaterThan(0);
    expect(stored.exhausted).toBe(true);
  });
}

async function compare(
  described: Case,
  expected: ReadonlyMap<string, Stored>,
  { tolerance = TOLERANCE, batchSize = described.batch }: Comparison,
): Promise<void> {
  const { batch, loss, training, seed, expectedLoss } = described;
  const model = modelOf(described, seed);
  try {
    model.compile({ optimizer: optimizers.sgd(), loss });
    const x = inputsOf(described);
    const y = targetsOf(described);
    const { output: _, ...wanted } = Object.fromEntries(expected);
    const actual: Record<string, Tensor> = { output: await model.predict(x, { batchSize }) };
    expect(actual.output?.shape).toEqual([batch, ...described.outputShape]);
    Object.assign(actual, await model.gradients(x, y, { batchSize, training, input: 'input' in wanted }));
    expect(Object.keys(actual).sort()).toEqual([...expected.keys()].sort());
    const errors = [...expected].map(
      ([name, value]) => [name, relativeError(actual[name]?.data ?? [], value)] as const,
    );
    const { loss: found } = await model.evaluate(x, y, { batchSize });
    errors.push(['loss', Math.abs((found as number) - expectedLoss) / Math.abs(expectedLoss)]);
    expect(errors.filter(([, error]) => !(error <= tolerance))).toEqual([]);
  } finally {
    model.dispose();
  }
}
