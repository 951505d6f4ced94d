import { boolean, checkedOptions, nonEmptyString, nonNegativeInteger, positiveInteger } from '../arguments.js';
import { BusyError, InvalidArgumentError, InvalidDataError } from '../errors.js';
import { expectation } from '../expectation.js';
import { runAtOnce, runInSlices, type Work } from './slices.js';
import { type ReservedIds, Vocabulary } from './vocabulary.js';
import { type WordScanner, wordScanner } from './words.js';

/** What Keras replaces with `split` unless told otherwise: punctuation without the apostrophe, tab and newline. */
const DEFAULT_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n';

export interface TokenizerOptions {
  /** Ids of this size and more are left out of sequences; all words are kept if this is not given. */
  numWords?: number | undefined;
  /** Every one of these characters separates words. The default is Keras': {@link DEFAULT_FILTERS}. */
  filters?: string | undefined;
  /** Whether letters are made lower case; true by default. */
  lower?: boolean | undefined;
  /** What separates words besides `filters`; one space by default. */
  split?: string | undefined;
  /** Stands in sequences for every unknown or rare word, which are else left out. Gets id 1, after a startToken 2. */
  oovToken?: string | undefined;
  /** Begins every sequence. Gets id 1. */
  startToken?: string | undefined;
  /**
   * The commonest word gets the id after this one; as many as there are tokens above by default. With both tokens and 3
   * the ids are those of Keras' `imdb.load_data`, which leaves id 3 to nothing.
   */
  indexFrom?: number | undefined;
  /** Whether every character is a word; false by default. */
  charLevel?: boolean | undefined;
}

/** All options with their defaults filled in. */
export interface TokenizerRules {
  readonly numWords: number | undefined;
  readonly filters: string;
  readonly lower: boolean;
  readonly split: string;
  readonly oovToken: string | undefined;
  readonly startToken: string | undefined;
  readonly indexFrom: number | undefined;
  readonly charLevel: boolean;
}

/** A text, or its words if the caller has separated them: those are taken as they are, but for the lower case. */
export type Text = string | readonly string[];

export interface AsyncOptions {
  /** Rejects the promise with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * A tokenizer by the rules of Keras' `Tokenizer` (keras/src/legacy/preprocessing/text.py), to be fitted on texts:
 *
 * 1. the text is made lower case; each character of `filters` becomes `split`; the text is cut at `split`; empty words drop out;
 * 2. words get the ids 1, 2, ... by falling count over all fitted texts, words of one count in the order first seen;
 *    id 0 is nobody's, it pads;
 * 3. in sequences, words never seen and words with an id of `numWords` or more are left out, or become `oovToken`.
 *
 * `startToken` and `indexFrom` are not Keras' tokenizer's but its IMDB data set's (keras/src/datasets/imdb.py).
 *
 * The apostrophe and the carriage return are letters under the default filters, as in Keras.
 *
 * Lower case is `String.prototype.toLowerCase`, which agrees with Python's `str.lower` on every character that both know
 * (both follow Unicode's full mapping, with the word-final sigma); they differ only in letters that one side's Unicode
 * version lacks. Under Python 2, Keras' `lower` changed nothing outside ASCII.
 *
 * @throws InvalidArgumentError
 */
export function tokenizer(options: TokenizerOptions = {}): Tokenizer {
  return new Tokenizer(checkedRules(options));
}

const OPTION_NAMES = [
  'numWords',
  'filters',
  'lower',
  'split',
  'oovToken',
  'startToken',
  'indexFrom',
  'charLevel',
] as const;

/** @throws InvalidArgumentError */
export function checkedRules(options: TokenizerOptions): TokenizerRules {
  const { numWords, filters = DEFAULT_FILTERS, ...given } = checkedOptions(options, OPTION_NAMES, 'tokenizer');
  if (typeof filters !== 'string') throw new InvalidArgumentError(expectation('a string', 'filters', filters));
  return {
    numWords: numWords === undefined ? undefined : positiveInteger(numWords, 'numWords'),
    filters,
    lower: boolean(given.lower ?? true, 'lower'),
    split: nonEmptyString(given.split ?? ' ', 'split'),
    ...checkedReserved(given),
    charLevel: boolean(given.charLevel ?? false, 'charLevel'),
  };
}

function checkedReserved({ oovToken, startToken, indexFrom }: TokenizerOptions) {
  const checked = {
    oovToken: oovToken === undefined ? undefined : nonEmptyString(oovToken, 'oovToken'),
    startToken: startToken === undefined ? undefined : nonEmptyString(startToken, 'startToken'),
    indexFrom: indexFrom === undefined ? undefined : nonNegativeInteger(indexFrom, 'indexFrom'),
  };
  if (startToken !== undefined && startToken === oovToken) {
    throw new InvalidArgumentError(expectation('another word than oovToken', 'startToken', startToken));
  }
  const { length } = reservedTokens(checked);
  if (checked.indexFrom !== undefined && (checked.indexFrom < length || checked.indexFrom > MOST_RESERVED)) {
    throw new InvalidArgumentError(
      expectation(`an integer from ${length} to ${MOST_RESERVED}`, 'indexFrom', indexFrom),
    );
  }
  return checked;
}

// No use of reserved ids comes near this; ids stay far from the 32-bit integers' end.
const MOST_RESERVED = 2 ** 20;

function reservedTokens({ startToken, oovToken }: Pick<TokenizerRules, 'startToken' | 'oovToken'>): string[] {
  return [startToken, oovToken].filter((token) => token !== undefined);
}

/** The ids below those of words: 0 pads, then come the tokens. */
export function reservedIds(rules: TokenizerRules): ReservedIds {
  const tokens = reservedTokens(rules);
  return { tokens, upTo: rules.indexFrom ?? tokens.length };
}

export const JSON_FORMAT = 'slim-lstm tokenizer';
export const JSON_VERSION = 1;

/** A tokenizer as plain data. */
export interface TokenizerJSON {
  format: string;
  version: number;
  options: TokenizerOptions;
  documentCount: number;
  /** In the order first seen; the ids follow from the counts. */
  words: readonly string[];
  counts: readonly number[];
}

/** Made by {@link tokenizer} and `tokenizerFromJSON`. */
export class Tokenizer {
  readonly rules: TokenizerRules;
  readonly #scan: WordScanner;
  #vocabulary: Vocabulary;
  #documentCount: number;
  #fitting = false;

  /** `vocabulary` is ranked. */
  constructor(rules: TokenizerRules, vocabulary = new Vocabulary(), documentCount = 0) {
    this.rules = rules;
    this.#scan = wordScanner(rules);
    this.#vocabulary = vocabulary;
    this.#documentCount = documentCount;
  }

  /** Word to id, in the order of the ids, all of them: those of `numWords` and more too, as in Keras. */
  get wordIndex(): ReadonlyMap<string, number> {
    return this.#vocabulary.index;
  }

  /** Word to number of occurrences, in the order in which the words were first seen. A copy. */
  get wordCounts(): Map<string, number> {
    const { words, counts } = this.#vocabulary;
    return new Map(words.map((word, i) => [word, counts[i] as number]));
  }

  /** Rows of an embedding for this tokenizer: the ids in sequences, and 0 which pads, are below it. */
  get vocabularySize(): number {
    return Math.min(this.rules.numWords ?? Number.POSITIVE_INFINITY, this.#vocabulary.idLimit);
  }

  /** The number of texts fitted. */
  get documentCount(): number {
    return this.#documentCount;
  }

  /**
   * Counts the words of `texts`, on top of those fitted before, and gives the ids anew.
   *
   * @throws InvalidDataError for a text that is no string; the tokenizer is then as it was.
   */
  fitOnTexts(texts: Iterable<Text>): void {
    runAtOnce(this.#fit(texts));
  }

  /** {@link fitOnTexts} in slices that leave the event loop free; the tokenizer changes at the end, or not at all. */
  async fitOnTextsAsync(texts: Iterable<Text>, { signal }: AsyncOptions = {}): Promise<void> {
    const work = this.#fit(texts);
    try {
      await runInSlices(work, signal);
    } finally {
      work.return();
    }
  }

  /**
   * The ids of each text's words. A text without a known word gives an empty sequence.
   *
   * @throws InvalidDataError for a text that is no string.
   * @throws InvalidArgumentError if no text was fitted yet.
   */
  textsToSequences(texts: Iterable<Text>): number[][] {
    return runAtOnce(this.#encode(texts));
  }

  /** {@link textsToSequences} in slices that leave the event loop free. */
  async textsToSequencesAsync(texts: Iterable<Text>, { signal }: AsyncOptions = {}): Promise<number[][]> {
    return runInSlices(this.#encode(texts), signal);
  }

  /** The words of each sequence, with spaces between; ids without a word are left out, or become `oovToken`. */
  sequencesToTexts(sequences: Iterable<Iterable<number>>): string[] {
    const { numWords = Number.POSITIVE_INFINITY, oovToken } = this.rules;
    const words = new Map<number, string>();
    for (const [word, id] of this.wordIndex) if (id < numWords) words.set(id, word);
    return Array.from(sequences, (sequence) => {
      const found: string[] = [];
      for (const id of sequence) {
        const word = words.get(id) ?? oovToken;
        if (word !== undefined) found.push(word);
      }
      return found.join(' ');
    });
  }

  /** The rules and the vocabulary as plain data for `JSON.stringify`; `tokenizerFromJSON` makes the same tokenizer of it. */
  toJSON(): TokenizerJSON {
    const { words, counts } = this.#vocabulary;
    return {
      format: JSON_FORMAT,
      version: JSON_VERSION,
      options: { ...this.rules },
      documentCount: this.#documentCount,
      words: [...words],
      counts: [...counts],
    };
  }

  *#fit(texts: Iterable<Text>): Work<void> {
    checkTexts(texts);
    if (this.#fitting) throw new BusyError('The tokenizer is being fitted already; wait for the promise of that call');
    this.#fitting = true;
    try {
      const vocabulary = yield* this.#vocabulary.copy();
      const count = (word: string) => vocabulary.add(word);
      let documents = 0;
      for (const text of texts) {
        yield* this.#words(text, documents, count);
        documents++;
      }
      yield* vocabulary.rank(reservedIds(this.rules));
      this.#vocabulary = vocabulary;
      this.#documentCount += documents;
    } finally {
      this.#fitting = false;
    }
  }

  *#encode(texts: Iterable<Text>): Work<number[][]> {
    checkTexts(texts);
    if (this.#documentCount === 0) {
      throw new InvalidArgumentError('The tokenizer has no vocabulary yet; call fitOnTexts first');
    }
    const { numWords = Number.POSITIVE_INFINITY, oovToken, startToken } = this.rules;
    const { index } = this.#vocabulary;
    const oovId = oovToken === undefined ? undefined : index.get(oovToken);
    const startId = startToken === undefined ? undefined : index.get(startToken);
    const sequences: number[][] = [];
    let sequence: number[] = [];
    const append = (word: string) => {
      const id = index.get(word);
      if (id !== undefined && id < numWords) sequence.push(id);
      else if (oovId !== undefined) sequence.push(oovId);
    };
    for (const text of texts) {
      sequence = startId === undefined ? [] : [startId];
      yield* this.#words(text, sequences.length, append);
      sequences.push(sequence);
    }
    return sequences;
  }

  *#words(text: Text, number: number, take: (word: string) => void): Work<void> {
    if (typeof text === 'string') {
      yield* this.#scan(text, take);
      return;
    }
    if (!Array.isArray(text)) throw new InvalidDataError(expectation('a string', `texts[${number}]`, text));
    for (let i = 0; i < text.length; i++) {
      const word: unknown = text[i];
      if (typeof word !== 'string') throw new InvalidDataError(expectation('a string', `texts[${number}][${i}]`, word));
      take(this.rules.lower ? word.toLowerCase() : word);
    }
    yield;
  }
}

// A string is iterable too, by characters, which nobody means.
function checkTexts(texts: unknown): void {
  const isIterable = typeof texts === 'object' && texts !== null && Symbol.iterator in texts;
  if (!isIterable) throw new InvalidArgumentError(expectation('an array of strings', 'texts', texts));
}
