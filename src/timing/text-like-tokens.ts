/** Token ids that cost a network what posts cost it: as much padding, as many different words, the common ones as often. */

import { RandomStream } from '../philox.js';
import type { Int32Tensor } from '../tensor.js';

// Fitted to the 19,997 posts of 20 Newsgroups without their headers, the 19,999 commonest words: lengths are log-normal
// about a median of 150 words (a mean of 218 of 1,000 positions, 78 % padding), the word of rank r comes in proportion
// to (r + 3)^-1.15, and 128 posts have about 5,100 words that differ.
const MEDIAN_LENGTH = 150;
const LENGTH_SIGMA = 0.97;
const RANK_SHIFT = 3;
const RANK_EXPONENT = 1.15;

const LENGTH_STREAM = 0;
const WORD_STREAM = 1;

/**
 * `[rows, steps]`, padded in front with id 0; the word of rank r has the id r.
 *
 * @param words the vocabulary, padding included
 */
export function textLikeTokens(rows: number, steps: number, words: number, seed: number): Int32Tensor {
  const data = new Int32Array(rows * steps);
  const lengths = new RandomStream(seed, 0, LENGTH_STREAM);
  const ranks = new RandomStream(seed, 0, WORD_STREAM);
  for (let row = 0; row < rows; row++) {
    const exact = MEDIAN_LENGTH * Math.exp(LENGTH_SIGMA * normal(lengths, row));
    const length = Math.min(steps, Math.max(1, Math.round(exact)));
    for (let i = (row + 1) * steps - length; i < (row + 1) * steps; i++) data[i] = rank(uniform(ranks, i), words - 1);
  }
  return { data, shape: [rows, steps] };
}

/** In (0, 1). */
function uniform(stream: RandomStream, index: number): number {
  return (stream.word(index) + 0.5) / 2 ** 32;
}

/** Box and Muller's. */
function normal(stream: RandomStream, index: number): number {
  const radius = Math.sqrt(-2 * Math.log(uniform(stream, 2 * index)));
  return radius * Math.cos(2 * Math.PI * uniform(stream, 2 * index + 1));
}

/** A rank from 1 to `ranks`: the integral of the law from the first rank to this one is `part` of that to the last. */
function rank(part: number, ranks: number): number {
  const first = RANK_SHIFT + 0.5;
  const power = 1 - RANK_EXPONENT;
  const [least, most] = [first ** power, (ranks + first) ** power];
  return Math.min(ranks, Math.floor((least + part * (most - least)) ** (1 / power) - first) + 1);
}
