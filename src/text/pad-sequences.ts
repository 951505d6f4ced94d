import { checkedOptions, choice, positiveInteger } from '../arguments.js';
import { InvalidArgumentError, InvalidDataError, OutOfMemoryError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { Int32Tensor } from '../tensor.js';
import { runAtOnce, runInSlices, type Work } from './slices.js';

export interface PadOptions {
  /** T, the length of every row; the longest sequence's length if not given. */
  maxLength?: number | undefined;
  /** Whether the padding stands before or after a shorter sequence; `'pre'` by default, as in Keras. */
  padding?: 'pre' | 'post' | undefined;
  /** Whether a longer sequence loses its beginning or its end; `'pre'`, the beginning, by default, as in Keras. */
  truncating?: 'pre' | 'post' | undefined;
  /** The id that pads; 0 by default. */
  value?: number | undefined;
}

export type Sequence = readonly number[] | Int32Array;

/**
 * Token id sequences of any length as the rows of one tensor, after Keras' `pad_sequences`
 * (keras/src/utils/sequence_utils.py): Int32 of shape `[N, T]`, N sequences.
 *
 * @throws InvalidDataError naming sequence and position of an entry that is no 32-bit integer.
 * @throws InvalidArgumentError for an unusable option.
 * @throws OutOfMemoryError if `N * T` numbers cannot be had.
 */
export function padSequences(sequences: readonly Sequence[], options: PadOptions = {}): Int32Tensor {
  return runAtOnce(padding(sequences, options));
}

/** {@link padSequences} in slices that leave the event loop free. */
export async function padSequencesAsync(
  sequences: readonly Sequence[],
  { signal, ...options }: PadOptions & { signal?: AbortSignal | undefined } = {},
): Promise<Int32Tensor> {
  return runInSlices(padding(sequences, options), signal);
}

// Numbers copied between two yields.
const STRETCH = 65536;

function* padding(sequences: readonly Sequence[], options: PadOptions): Work<Int32Tensor> {
  const given = checkedOptions(options, ['maxLength', 'padding', 'truncating', 'value'], 'padSequences');
  const { value = 0, maxLength } = given;
  const padded = choice(given.padding ?? 'pre', 'padding', ['pre', 'post']);
  const truncating = choice(given.truncating ?? 'pre', 'truncating', ['pre', 'post']);
  if (!isInt32(value)) throw new InvalidArgumentError(expectation('a 32-bit integer', 'value', value));
  checkSequences(sequences);

  const length = maxLength === undefined ? longest(sequences) : positiveInteger(maxLength, 'maxLength');
  const data = allocated(sequences.length, length);
  if (value !== 0) data.fill(value);
  let sinceYield = 0;
  for (let row = 0; row < sequences.length; row++) {
    const sequence = sequences[row] as Sequence;
    const kept = Math.min(sequence.length, length);
    const from = truncating === 'pre' ? sequence.length - kept : 0;
    const to = row * length + (padded === 'pre' ? length - kept : 0);
    for (let i = 0; i < kept; i++) {
      const id = sequence[from + i] as number;
      if (!isInt32(id)) {
        throw new InvalidDataError(expectation('a 32-bit integer', `sequences[${row}][${from + i}]`, id));
      }
      data[to + i] = id;
    }
    sinceYield += length;
    if (sinceYield >= STRETCH) {
      sinceYield = 0;
      yield;
    }
  }
  return { data, shape: [sequences.length, length] };
}

function isInt32(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value;
}

function checkSequences(sequences: readonly Sequence[]): void {
  if (!Array.isArray(sequences)) {
    throw new InvalidArgumentError(expectation('an array of sequences', 'sequences', sequences));
  }
  for (let i = 0; i < sequences.length; i++) {
    const sequence: unknown = sequences[i];
    if (!Array.isArray(sequence) && !(sequence instanceof Int32Array)) {
      throw new InvalidDataError(expectation('an array of token ids', `sequences[${i}]`, sequence));
    }
  }
}

function longest(sequences: readonly Sequence[]): number {
  if (sequences.length === 0) {
    throw new InvalidArgumentError('Expected maxLength or at least one sequence, but received neither');
  }
  return sequences.reduce((length, sequence) => Math.max(length, sequence.length), 0);
}

function allocated(rows: number, length: number): Int32Array {
  try {
    return new Int32Array(rows * length);
  } catch (cause) {
    throw new OutOfMemoryError(`Cannot get ${rows * length * 4} bytes for ${rows} sequences of ${length} ids`, {
      cause,
    });
  }
}
