/**
 * Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): random words that depend on a
 * seed and a counter alone. The twin of `native/philox.h`: the same seed, step, stream and index give the same word.
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

export type Words4 = [number, number, number, number];

/** Four words in [0, 2^32) for a key of two words and a counter of four, each in [0, 2^32). */
export function philox4x32(key: readonly [number, number], counter: Readonly<Words4>): Words4 {
  let [k0, k1] = key;
  let [c0, c1, c2, c3] = counter;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The upper 32 bits of the 64-bit product of two 32-bit words, from products that a double holds exactly. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (carry >>> 16);
}

/** A family of random words; `step` and `stream` are 32-bit words, `seed` is an integer from 0 to 2^53 - 1. */
export class RandomStream {
  readonly #key: readonly [number, number];
  readonly #step: number;
  readonly #stream: number;
  #blockNumber = -1;
  #block: Words4 = [0, 0, 0, 0];

  constructor(seed: number, step: number, stream: number) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#step = step;
    this.#stream = stream;
  }

  /** Word `index` of the stream, in [0, 2^32). */
  word(index: number): number {
    const blockNumber = Math.floor(index / 4);
    if (blockNumber !== this.#blockNumber) {
      const counter: Words4 = [blockNumber >>> 0, Math.floor(blockNumber / 2 ** 32), this.#step, this.#stream];
      this.#block = philox4x32(this.#key, counter);
      this.#blockNumber = blockNumber;
    }
    return this.#block[index % 4] as number;
  }
}
