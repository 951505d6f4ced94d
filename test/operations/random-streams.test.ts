import { describe, expect, it } from 'vitest';
import { loadNative } from '../../src/load-native.js';
import { RandomStream } from '../../src/philox.js';

describe('random streams', () => {
  it.each([
    { seed: 0, step: 0, stream: 0, count: 1, rate: 0.5 },
    { seed: 1234567, step: 41, stream: 16 * 7 + 2, count: 1003, rate: 0.3 },
    { seed: 2 ** 53 - 1, step: 2 ** 32 - 1, stream: 2 ** 32 - 1, count: 64, rate: 0.9 },
    { seed: 2 ** 40 + 3, step: 5, stream: 33, count: 1000, rate: 0 },
  ])('masks of the engine drop the elements whose words are below the rate: %j', (options) => {
    const { seed, step, stream, count } = options;
    const rate = Math.fround(options.rate);
    const words = new RandomStream(seed, step, stream);
    const threshold = Math.floor(rate * 2 ** 32);
    const scale = Math.fround(1 / (1 - rate));
    const expected = Float32Array.from({ length: count }, (_, i) => (words.word(i) < threshold ? 0 : scale));
    const mask = loadNative().dropoutMask(options);
    expect(mask.length).toBe(count);
    const zeros = (values: Float32Array) => Array.from(values, (value) => value === 0);
    expect(zeros(mask)).toEqual(zeros(expected));
    for (const [i, value] of mask.entries()) expect(value).toBeCloseTo(expected[i] as number, 5);
  });

  it('masks drop about the rate of all elements', () => {
    const mask = loadNative().dropoutMask({ seed: 3, step: 1, stream: 17, count: 100_000, rate: 0.3 });
    const dropped = mask.filter((value) => value === 0).length / mask.length;
    // Five standard errors of a share of 0.3 over 100,000 draws.
    expect(Math.abs(dropped - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / 100_000));
  });
});
