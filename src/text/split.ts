import { checkedOptions } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import { RandomStream } from '../philox.js';

// No other use of the seed has this stream: layers count up from 0, the engine's shuffle has 0xffffffff.
const SPLIT_STREAM = 0xfffffffe;

/**
 * The numbers 0 to `count - 1` in an order that depends on `seed` alone: Fisher and Yates' shuffle with unbiased draws
 * from Philox.
 *
 * @throws InvalidArgumentError unless `count` is an integer of 0 or more and `seed` one from 0 to 2^53 - 1.
 */
export function shuffledIndices(count: number, seed: number): Int32Array {
  if (!Number.isInteger(count) || count < 0 || count >= 2 ** 31) {
    throw new InvalidArgumentError(expectation('an integer from 0 to 2^31 - 1', 'count', count));
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InvalidArgumentError(expectation('an integer from 0 to 2^53 - 1', 'seed', seed));
  }
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  const below = uniformIntegers(new RandomStream(seed, 0, SPLIT_STREAM));
  for (let last = count - 1; last > 0; last--) {
    const chosen = below(last + 1);
    const moved = indices[last] as number;
    indices[last] = indices[chosen] as number;
    indices[chosen] = moved;
  }
  return indices;
}

/** Draws from 0 to `bound - 1`: a word scaled down, drawn again where scaling would favour some results. */
function uniformIntegers(stream: RandomStream): (bound: number) => number {
  let next = 0;
  return (bound) => {
    const usable = 2 ** 32 - (2 ** 32 % bound);
    let word = stream.word(next++);
    while (word >= usable) word = stream.word(next++);
    return word % bound;
  };
}

export interface SplitOptions {
  /** The part of the rows that validates, from 0 up to but not including 1. */
  validationFraction: number;
  /** Decides which rows; an integer from 0 to 2^53 - 1, 0 by default. */
  seed?: number | undefined;
}

/**
 * Row numbers for training and for validation: all `count` rows shuffled by `seed`, of which the last
 * `floor(validationFraction * count)` validate, as in Keras' example `pretrained_word_embeddings.py`.
 *
 * @throws InvalidArgumentError
 */
export function trainValidationSplit(
  count: number,
  options: SplitOptions,
): { train: Int32Array; validation: Int32Array } {
  const given = checkedOptions(options, ['validationFraction', 'seed'], 'trainValidationSplit');
  const { validationFraction, seed = 0 } = given;
  if (typeof validationFraction !== 'number' || !(validationFraction >= 0 && validationFraction < 1)) {
    throw new InvalidArgumentError(
      expectation('a number of 0 or more and below 1', 'validationFraction', validationFraction),
    );
  }
  const indices = shuffledIndices(count, seed);
  const trained = count - Math.floor(validationFraction * count);
  return { train: indices.slice(0, trained), validation: indices.slice(trained) };
}
