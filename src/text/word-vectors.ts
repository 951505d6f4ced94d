import { checkedOptions, nonEmptyString, positiveInteger } from '../arguments.js';
import { InvalidArgumentError, InvalidDataError, OutOfMemoryError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { Float32Tensor } from '../tensor.js';
import { byteStream } from './byte-stream.js';
import { checkedLimits, type ReadLimits } from './limits.js';
import { byteLines, withoutLineEnd } from './lines.js';
import { VectorLineParser } from './vector-lines.js';
import { VectorTable } from './vector-table.js';

export interface WordVectorsOptions {
  /** Keeps the vectors of these words only, such as a tokenizer's `wordIndex`. */
  words?: ReadonlyMap<string, number> | undefined;
  /** With `words`: keeps only words whose id is below this, the ids that a tokenizer with this `numWords` gives. */
  numWords?: number | undefined;
  /** Numbers in a vector. The first line tells if this is not given; give it if words may hold spaces. */
  dimension?: number | undefined;
  /** Stops after this many lines of the file; these files have the commonest words first. */
  maxWords?: number | undefined;
  /** `totalBytes` does not count here: the file is read as a stream, and only what is wanted is kept. */
  limits?: ReadLimits | undefined;
  signal?: AbortSignal | undefined;
}

const OPTION_NAMES = ['words', 'numWords', 'dimension', 'maxWords', 'limits', 'signal'] as const;

/**
 * Word vectors from a file in GloVe's text form, UTF-8, packed with gzip or not: each line a word and its numbers, with one
 * space between. word2vec's and fastText's text form, whose first line gives the numbers of words and dimensions, is
 * known by that line. Memory is needed for the vectors kept, not for the file. Of a word's several lines the last counts,
 * as in Keras' example `pretrained_word_embeddings.py`.
 *
 * @throws InvalidArgumentError for an unusable option.
 * @throws FileAccessError if the file cannot be read.
 * @throws InvalidFileError naming the line, with the code `ERR_VECTORS_DIMENSION` (too few numbers, or not as many as
 *   `dimension` says), `ERR_VECTORS_NUMBER` (no finite number in single precision; looked for in the lines kept),
 *   `ERR_GZIP_...` or `ERR_LIMIT_...`.
 * @throws InvalidDataError if the file holds no vector at all.
 */
export async function wordVectors(path: string, options: WordVectorsOptions = {}): Promise<WordVectors> {
  nonEmptyString(path, 'path');
  const given = checkedOptions(options, OPTION_NAMES, 'wordVectors');
  for (const name of ['numWords', 'dimension', 'maxWords'] as const) {
    if (given[name] !== undefined) positiveInteger(given[name], name);
  }
  const { words, numWords = Number.POSITIVE_INFINITY, maxWords = Number.POSITIVE_INFINITY, signal } = given;
  if (words !== undefined && !(words instanceof Map)) {
    throw new InvalidArgumentError(expectation('a Map from words to ids', 'words', words));
  }
  const limits = { ...checkedLimits(given.limits), totalBytes: Number.POSITIVE_INFINITY };

  const isWanted = (word: string) => {
    if (words === undefined) return true;
    const id = words.get(word);
    return id !== undefined && id < numWords;
  };
  const parser = new VectorLineParser(path, given.dimension);
  let table: VectorTable | undefined;
  for await (const lines of byteLines(path, byteStream(path, limits, signal), limits)) {
    for (const line of lines) {
      if (parser.vectorLines >= maxWords) break;
      const row = parser.parse(withoutLineEnd(line));
      if (row === undefined) continue;
      table ??= new VectorTable(parser.dimension as number);
      if (isWanted(row.word)) table.put(row.word, row.write);
    }
    if (parser.vectorLines >= maxWords) break;
  }
  if (table === undefined) throw new InvalidDataError(`${path} holds no word vector`);
  return new WordVectors(parser.dimension as number, table);
}

/** Vectors by word, made by {@link wordVectors}. */
export class WordVectors {
  /** Numbers in a vector. */
  readonly dimension: number;
  readonly #table: VectorTable;

  constructor(dimension: number, table: VectorTable) {
    this.dimension = dimension;
    this.#table = table;
  }

  /** The number of words that have a vector here. */
  get size(): number {
    return this.#table.size;
  }

  /** The vector of `word`, `dimension` numbers, as a copy. */
  get(word: string): Float32Array | undefined {
    return this.#table.get(word)?.slice();
  }

  /**
   * The weights of an embedding, Float32 of shape `[numWords, dimension]`: row `id` is the vector of the word with that id.
   * Rows of words without a vector are zero, and so is row 0, which belongs to the padding.
   *
   * @throws InvalidArgumentError
   * @throws OutOfMemoryError
   */
  matrix(wordIndex: ReadonlyMap<string, number>, numWords: number): Float32Tensor {
    positiveInteger(numWords, 'numWords');
    const data = this.#zeros(numWords);
    for (const [word, id] of wantedWords(wordIndex, numWords)) {
      const vector = this.#table.get(word);
      if (vector !== undefined) data.set(vector, id * this.dimension);
    }
    return { data, shape: [numWords, this.dimension] };
  }

  #zeros(numWords: number): Float32Array {
    try {
      return new Float32Array(numWords * this.dimension);
    } catch (cause) {
      const bytes = 4 * numWords * this.dimension;
      throw new OutOfMemoryError(`Cannot get ${bytes} bytes for ${numWords} vectors`, { cause });
    }
  }

  /** How many of the words with ids from 1 to `numWords - 1` there are, and how many of them have a vector. */
  coverage(wordIndex: ReadonlyMap<string, number>, numWords: number): { words: number; covered: number } {
    positiveInteger(numWords, 'numWords');
    let words = 0;
    let covered = 0;
    for (const [word] of wantedWords(wordIndex, numWords)) {
      words++;
      if (this.#table.has(word)) covered++;
    }
    return { words, covered };
  }
}

function* wantedWords(wordIndex: ReadonlyMap<string, number>, numWords: number): Generator<[string, number]> {
  for (const [word, id] of wordIndex) {
    if (!Number.isInteger(id) || id < 1) {
      throw new InvalidArgumentError(expectation('an id of 1 or more', `wordIndex.get('${word}')`, id));
    }
    if (id < numWords) yield [word, id];
  }
}
