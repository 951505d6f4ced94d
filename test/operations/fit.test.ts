import { describe, expect, it } from 'vitest';
import { optimizers } from '../../src/index.js';
import type { Tensor } from '../../src/tensor.js';
import { distance, readIndex, StoredValues } from './fixture.js';
import { inputsOf, sizeOf, targetsOf, weightsOf } from './formula.js';
import { modelOf, type NetworkDescription } from './network.js';

/** `test/oracle/fit.py`: Keras in float64. */
interface Run extends NetworkDescription {
  readonly name: string;
  readonly metrics: readonly ('accuracy' | 'top3')[];
  readonly classWeight?: readonly number[];
  readonly trainRows: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly history: Record<string, number[]>;
  readonly scores: Record<string, number>;
}

function rows({ data, shape }: Tensor, from: number, to: number): Tensor {
  const width = sizeOf(shape.slice(1));
  return { data: data.slice(from * width, to * width), shape: [to - from, ...shape.slice(1)] };
}

/** The name that the package gives a number which the fixture calls after the metric's own name there. */
function ourName(name: string): string {
  return name.replace('top3', 'topKCategoricalAccuracy');
}

function expectNumbers(actual: Record<string, unknown>, expected: Record<string, number | readonly number[]>): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).map(ourName).sort());
  for (const [name, value] of Object.entries(expected)) {
    const found = actual[ourName(name)];
    expect(distance([found].flat() as number[], [value].flat()), name).toBeLessThan(1e-5);
  }
}

describe('fit and evaluate do what those of Keras do', () => {
  const { cases } = readIndex('fit') as { cases: Run[] };
  const stored = new StoredValues('fit');

  for (const run of cases) {
    const expected = run.weights.map(([name, shape]) => [name, stored.take(sizeOf(shape))] as const);
    it(run.name, async () => {
      const model = modelOf(run);
      model.compile({
        optimizer: optimizers.sgd({ learningRate: run.learningRate }),
        loss: run.loss,
        metrics: run.metrics.map((metric) => (metric === 'top3' ? { topK: 3 } : metric)),
      });
      const x = inputsOf(run);
      const y = targetsOf(run);
      const history = await model.fit(rows(x, 0, run.trainRows), rows(y, 0, run.trainRows), {
        epochs: run.epochs,
        batchSize: run.batchSize,
        shuffle: false,
        validationData: [rows(x, run.trainRows, run.batch), rows(y, run.trainRows, run.batch)],
        ...(run.classWeight === undefined ? {} : { classWeight: { ...run.classWeight } }),
        verbose: 0,
      });
      expectNumbers(history.history, run.history);
      expectNumbers(await model.evaluate(x, y, { batchSize: run.batchSize }), run.scores);
      const start = weightsOf(run);
      const now = model.weights();
      for (const [name, change] of expected) {
        const before = start[name]?.data ?? [];
        const actual = Array.from(now[name]?.data ?? [], (value, i) => value - (before[i] as number));
        expect(distance(actual, change), name).toBeLessThan(2e-5);
      }
      model.dispose();
    });
  }

  it('has used the whole fixture', () => {
    expect(cases.length).toBeGreaterThan(0);
    expect(stored.exhausted).toBe(true);
  });
});
