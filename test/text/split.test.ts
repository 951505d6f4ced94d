import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../src/errors.js';
import { philox4x32, RandomStream, type Words4 } from '../../src/philox.js';
import { type SplitOptions, shuffledIndices, trainValidationSplit } from '../../src/text/split.js';

// Written by test/oracle/text.py.
const shuffles: { count: number; seed: number; order: number[] }[] = JSON.parse(
  readFileSync(new URL('../oracle/fixtures/text.json', import.meta.url), 'utf8'),
).shuffles;

describe('philox4x32', () => {
  // The known answers that come with Random123, the authors' own library (kat_vectors, philox4x32 with 10 rounds).
  it.each<[number[], number[], number[]]>([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('answers the counter %j under the key %j with %j', (counter, key, words) => {
    expect(philox4x32(key as [number, number], counter as Words4)).toEqual(words);
  });

  it('puts seed, index, step and stream where native/philox.h has them', () => {
    const stream = new RandomStream(2 ** 32 * 5 + 7, 11, 0xfffffffe);
    const block = philox4x32([7, 5], [2, 3, 11, 0xfffffffe]);
    const first = 4 * (2 ** 32 * 3 + 2);
    expect([0, 1, 2, 3].map((i) => stream.word(first + i))).toEqual(block);
    expect(stream.word(first)).toBe(block[0]);
  });
});

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
