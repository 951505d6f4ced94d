/** The network of Kent & Salem as `slim-lstm bench --model` trains it, and what it trains on. */

import { InvalidDataError } from '../errors.js';
import { kentSalem, kentSalemLayers } from '../experiments/kent-salem.js';
import { RandomStream } from '../philox.js';
import { type Int32Tensor, takeRows } from '../tensor.js';
import { padSequencesAsync, tokenizer, trainValidationSplit } from '../text/index.js';
import { textLikeTokens } from '../timing/text-like-tokens.js';
import type { TimedNetwork } from '../timing/time-network.js';
import type { Variant } from '../variants.js';
import { readData } from './text-data.js';

/** Batches of a turn. */
const BATCHES = 4;
const VECTOR_WIDTH = 100;
const CLASSES = 20;

export interface NetworkData {
  readonly tokens: Int32Tensor;
  readonly labels: Int32Array;
  /** Rows of the embedding. */
  readonly words: number;
  readonly classes: number;
  readonly description: string;
}

/** Rows for the batches of a turn: drawn to be like posts, or some of the documents at `path`. */
export async function networkData(
  path: string | undefined,
  batchSize: number,
  seed: number,
  signal: AbortSignal,
): Promise<NetworkData> {
  const rows = BATCHES * batchSize;
  if (path !== undefined) return readDocuments(path, rows, seed, signal);
  const tokens = textLikeTokens(rows, kentSalem.maxLength, kentSalem.numWords, seed);
  return {
    tokens,
    labels: Int32Array.from({ length: rows }, (_, row) => row % CLASSES),
    words: kentSalem.numWords,
    classes: CLASSES,
    description: `random tokens, ${paddingPercent(tokens)} % padding, words by Zipf's law as in 20 Newsgroups`,
  };
}

async function readDocuments(path: string, rows: number, seed: number, signal: AbortSignal): Promise<NetworkData> {
  const documents = await readData(
    { data: path, encoding: 'auto', headers: 'auto', textColumn: 'text', labelColumn: 'label' },
    signal,
  );
  const count = documents.texts.length;
  if (count < rows) {
    throw new InvalidDataError(`Expected ${rows} documents or more, those of a turn, in ${path} but received ${count}`);
  }
  const words = tokenizer({ numWords: kentSalem.numWords });
  await words.fitOnTextsAsync(documents.texts, { signal });
  const chosen = trainValidationSplit(count, { validationFraction: 0, seed }).train.slice(0, rows);
  const texts = Array.from(chosen, (row) => documents.texts[row] as string);
  const sequences = await words.textsToSequencesAsync(texts, { signal });
  const tokens = await padSequencesAsync(sequences, { maxLength: kentSalem.maxLength, signal });
  return {
    tokens,
    labels: takeRows({ data: documents.labels, shape: [count] }, chosen).data,
    words: Math.min(kentSalem.numWords, words.wordIndex.size + 1),
    classes: documents.classNames.length,
    description: `${rows} documents of ${path}, ${paddingPercent(tokens)} % padding`,
  };
}

function paddingPercent({ data }: Int32Tensor): number {
  return Math.round((100 * data.reduce((count, id) => count + (id === 0 ? 1 : 0), 0)) / data.length);
}

/** The network with each of the variants. The word vectors are random and, as in the paper, frozen. */
export function kentSalemNetworks(
  variants: readonly Variant[],
  { words, classes }: NetworkData,
  dropout: { readonly dropout: number; readonly recurrentDropout: number },
): TimedNetwork[] {
  const stream = new RandomStream(0, 0, 0);
  const data = Float32Array.from({ length: words * VECTOR_WIDTH }, (_, i) => stream.word(i) / 2 ** 31 - 1);
  const vectors = { data, shape: [words, VECTOR_WIDTH] };
  return variants.map((variant) => ({
    name: variant.name,
    layers: kentSalemLayers({ words, classes, vectors, variant, ...dropout }),
  }));
}
