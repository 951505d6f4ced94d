import { describe, expect, it } from 'vitest';
import { layers, optimizers, sequential } from '../../src/index.js';
import { distance, readIndex, StoredValues } from './fixture.js';
import { sizeOf, uniform } from './formula.js';
import { DEVICE } from './network.js';

/** `test/oracle/optimizers.py`: Keras in float64. */
interface Fixture {
  readonly rows: number;
  readonly stops: readonly number[];
  readonly dataSeed: number;
  readonly weightScale: number;
  readonly learningRate: number;
  readonly weights: Record<string, number[]>;
  readonly cases: readonly {
    readonly name: string;
    readonly kind: keyof typeof optimizers;
    readonly options: Record<string, number | boolean>;
    readonly flat: boolean;
    readonly initialLoss: number;
  }[];
}

// Changes of the weights are small differences of numbers near 1: float32 leaves 1e-7 of the weights, not of the changes.
const TOLERANCE = 2e-5;

describe('optimizers move the weights as those of Keras', () => {
  const fixture = readIndex('optimizers') as Fixture;
  const stored = new StoredValues('optimizers');
  const { rows, stops, dataSeed, weightScale, learningRate, weights, cases } = fixture;
  const changes = Object.values(weights).reduce((sum, shape) => sum + sizeOf(shape), 0);
  const steps = stops.at(-1) as number;

  for (const { name, kind, options, flat, initialLoss } of cases) {
    const expected = stops.map((stop) => [stop, stored.take(changes)] as const);
    it(name, async () => {
      const model = sequential([layers.dense({ units: 5, activation: 'tanh' }), layers.dense({ units: 3 })], {
        inputShape: [4],
        device: DEVICE,
      });
      const start = Object.entries(weights).map(
        ([array, shape], stream) => [array, uniform(dataSeed, stream, shape, weightScale)] as const,
      );
      model.setWeights(Object.fromEntries(start));
      model.compile({ optimizer: optimizers[kind]({ learningRate, ...options }), loss: 'meanSquaredError' });
      const x = uniform(dataSeed, 1000, [steps * rows, 4], flat ? 1e-3 : 1);
      const y = uniform(dataSeed, 1002, [steps * rows, 3], 1);
      const part = (data: Float32Array, width: number, from: number, to: number) => ({
        data: data.slice(from * rows * width, to * rows * width),
        shape: [(to - from) * rows, width],
      });
      const { loss } = await model.evaluate(x, y);
      expect(Math.abs((loss as number) - initialLoss) / initialLoss).toBeLessThan(1e-6);
      let done = 0;
      const errors: number[] = [];
      for (const [stop, change] of expected) {
        await model.fit(part(x.data, 4, done, stop), part(y.data, 3, done, stop), {
          epochs: 1,
          batchSize: rows,
          shuffle: false,
          verbose: 0,
        });
        done = stop;
        const now = model.weights();
        const actual = start.flatMap(([array, before]) =>
          Array.from(now[array]?.data ?? [], (value, i) => value - (before.data[i] as number)),
        );
        errors.push(distance(actual, change));
      }
      expect(errors.filter((error) => !(error <= TOLERANCE))).toEqual([]);
      model.dispose();
    });
  }

  it('has used the whole fixture', () => {
    expect(cases.length).toBeGreaterThan(0);
    expect(stored.exhausted).toBe(true);
  });
});
