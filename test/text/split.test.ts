import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../src/errors.js';
import { type SplitOptions, shuffledIndices, trainValidationSplit } from '../../src/text/split.js';

// Written by test/oracle/text.py.
const shuffles: { count: number; seed: number; order: number[] }[] = JSON.parse(
  readFileSync(new URL('../oracle/fixtures/text.json', import.meta.url), 'utf8'),
).shuffles;

describe('shuffledIndices', () => {
  it('holds every index once, in an order that the seed alone decides', () => {
    const order = shuffledIndices(1000, 42);
    expect(order.toSorted()).toEqual(Int32Array.from({ length: 1000 }, (_, i) => i));
    expect(shuffledIndices(1000, 42)).toEqual(order);
    expect(shuffledIndices(1000, 43)).not.toEqual(order);
    expect(shuffledIndices(1000, 42 + 2 ** 32)).not.toEqual(order);
  });

  it.each(shuffles)('gives $count indices for seed $seed in the order of the Python twin', ({ count, seed, order }) => {
    expect([...shuffledIndices(count, seed)]).toEqual(order);
  });

  it('gives every one of the 24 orders of four equally often', () => {
    const counts = new Map<string, number>();
    const draws = 24_000;
    for (let seed = 0; seed < draws; seed++) {
      const order = shuffledIndices(4, seed).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - draws / 24) ** 2 / (draws / 24), 0);
    // 23 degrees of freedom: a fair shuffle exceeds 49.7 once in a thousand seeds' choice, and these seeds are fixed.
    expect(chiSquare).toBeLessThan(49.7);
  });

  it('takes no and one index', () => {
    expect(shuffledIndices(0, 1)).toEqual(new Int32Array(0));
    expect(shuffledIndices(1, 1)).toEqual(Int32Array.of(0));
  });
});

describe('trainValidationSplit', () => {
  it("validates the last int(fraction * N) rows of the shuffle, as Keras' example does", () => {
    const { train, validation } = trainValidationSplit(19997, { validationFraction: 0.2, seed: 3 });
    expect([train.length, validation.length]).toEqual([15998, 3999]);
    expect(Int32Array.of(...train, ...validation)).toEqual(shuffledIndices(19997, 3));
  });

  it('takes seed 0 if none is given, and nothing for a fraction of 0', () => {
    const whole = trainValidationSplit(50, { validationFraction: 0 });
    expect(whole).toEqual({ train: shuffledIndices(50, 0), validation: new Int32Array(0) });
  });

  it.each<[number, unknown, string]>([
    [10, { validationFraction: 1 }, 'Expected a number of 0 or more and below 1 for validationFraction but received 1'],
    [10, { validationFraction: Number.NaN }, 'for validationFraction but received NaN of type number'],
    [10, {}, 'for validationFraction but received undefined'],
    [10, { validationFraction: 0.2, seed: -1 }, 'Expected an integer from 0 to 2^53 - 1 for seed but received -1'],
    [-1, { validationFraction: 0.2 }, 'for count but received -1 of type number'],
    [2.5, { validationFraction: 0.2 }, 'for count but received 2.5 of type number'],
    [
      10,
      { validationFractoin: 0.2 },
      'Unknown option validationFractoin for trainValidationSplit; did you mean validationFraction?',
    ],
  ])('refuses %j rows with %j', (count, options, message) => {
    const split = () => trainValidationSplit(count, options as SplitOptions);
    expect(split).toThrow(InvalidArgumentError);
    expect(split).toThrow(message);
  });
});
