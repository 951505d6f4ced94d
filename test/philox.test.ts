import { describe, expect, it } from 'vitest';
import { philox4x32, RandomStream, type Words4 } from '../src/philox.js';

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
