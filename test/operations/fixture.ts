/** Reads the fixtures of `test/oracle/` and measures how far results are from them; `test/oracle/README.md` tells the format. */

import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { RandomStream } from '../../src/philox.js';

const WHOLE = 256;
const PROJECTIONS = 64;
const SKETCH_SEED = 0x5eed;

/** What is kept of an array: its values, or 64 projections and the norm. */
export interface Stored {
  readonly size: number;
  readonly values: Float32Array;
}

/** Goes through a file of values in the order in which they were written. */
export class StoredValues {
  readonly #values: Float32Array;
  #position = 0;

  constructor(group: string) {
    const bytes = readFileSync(new URL(`../oracle/fixtures/${group}.f32`, import.meta.url));
    if (endianness() === 'BE') bytes.swap32();
    this.#values = new Float32Array(new Uint8Array(bytes).buffer);
  }

  /** The next array of `size` elements. */
  next(size: number): Stored {
    return { size, values: this.take(size <= WHOLE ? size : PROJECTIONS + 1) };
  }

  /** The next `count` values as they are. */
  take(count: number): Float32Array {
    const values = this.#values.subarray(this.#position, this.#position + count);
    if (values.length !== count) throw new Error('The fixture ends early');
    this.#position += count;
    return values;
  }

  get exhausted(): boolean {
    return this.#position === this.#values.length;
  }
}

export function readIndex(group: string): unknown {
  return JSON.parse(readFileSync(new URL(`../oracle/fixtures/${group}.json`, import.meta.url), 'utf8'));
}

/**
 * `||actual - expected|| / ||expected||`, for a sketch its estimate; where nothing but zeros is expected, `||actual||`.
 * NaN where the sizes differ, so that no comparison holds.
 */
export function relativeError(actual: ArrayLike<number>, expected: Stored): number {
  if (actual.length !== expected.size) return Number.NaN;
  if (expected.size > WHOLE) return sketchedError(actual, expected.values);
  return distance(actual, expected.values);
}

/** The relative error of whole arrays. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.NaN;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += ((actual[i] as number) - (expected[i] as number)) ** 2;
    norm += (expected[i] as number) ** 2;
  }
  return Math.sqrt(norm === 0 ? difference : difference / norm);
}

/** The mean square of the projections of a difference is an unbiased estimate of its squared norm. */
function sketchedError(actual: ArrayLike<number>, sketch: Float32Array): number {
  const signs = signWords(2 * actual.length);
  const projections = new Float64Array(PROJECTIONS);
  for (let i = 0; i < actual.length; i++) {
    const value = actual[i] as number;
    const low = signs[2 * i] as number;
    const high = signs[2 * i + 1] as number;
    for (let p = 0; p < 32; p++) {
      projections[p] = (projections[p] as number) + ((low >>> p) & 1 ? value : -value);
      projections[p + 32] = (projections[p + 32] as number) + ((high >>> p) & 1 ? value : -value);
    }
  }
  const square = projections.reduce((sum, projection, p) => sum + (projection - (sketch[p] as number)) ** 2, 0);
  const norm = sketch[PROJECTIONS] as number;
  return Math.sqrt(square / PROJECTIONS) / (norm === 0 ? 1 : norm);
}

let words = new Uint32Array(0);

function signWords(count: number): Uint32Array {
  if (words.length < count) {
    const stream = new RandomStream(SKETCH_SEED, 0, 0);
    words = Uint32Array.from({ length: 2 * count }, (_, i) => stream.word(i));
  }
  return words;
}
