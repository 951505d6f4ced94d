/**
 * The network of Kent & Salem 2019 (arXiv 1901.00525): word vectors, three convolutions with pooling, a bidirectional
 * slim LSTM, two dense layers, on 20 Newsgroups. What the paper leaves open follows the example it builds on, Keras'
 * `pretrained_word_embeddings.py` of 2017; the third pool is 5, so that the LSTM sees 7 steps of 1,000 tokens.
 */

import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import type { Compatibility } from '../layers/compatibility.js';
import type { Layer } from '../layers/index.js';
import { layers } from '../layers/index.js';
import { type Tensor, takeRows } from '../tensor.js';
import { checkReadable } from '../text/byte-stream.js';
import {
  type LabelledTexts,
  padSequencesAsync,
  type Tokenizer,
  tokenizer,
  trainValidationSplit,
  wordVectors,
} from '../text/index.js';
import type { GateConstants, Variant } from '../variants.js';
import type { FinishedRun, Preparation, Source, TextRecipe, TokenSettings } from './recipe.js';

export interface KentSalemOptions {
  /** Rows of the embedding; ids run from 0 (padding) to `words - 1`. */
  readonly words: number;
  readonly classes: number;
  /** Word vectors `[words, d]`, frozen. Without them the network learns an embedding. */
  readonly vectors?: Tensor | undefined;
  /** Width of the embedding that is learnt. Default 100. */
  readonly embeddingSize?: number;
  /** A name of the table of variants, or a variant. Default `'LSTM3'`. */
  readonly variant?: string | Variant;
  /** Other numbers for the variant's constant gates. */
  readonly constants?: GateConstants;
  /** Whose conventions the LSTM's initial weights follow. Default `'keras'`. */
  readonly compatibility?: Compatibility;
  /** The LSTM's activation: the paper tries tanh, linear, sigmoid, relu and softmax. Default `'tanh'`. */
  readonly activation?: 'tanh' | 'linear' | 'sigmoid' | 'relu' | 'softmax';
  /** The gates' activation. Default `'hardSigmoid'`, as in the Keras of the paper. */
  readonly recurrentActivation?: 'sigmoid' | 'hardSigmoid';
  /** Units of each direction. Default 128. */
  readonly units?: number;
  /** Filters of each convolution. Default 128. */
  readonly filters?: number;
  /** Rate of dropout after each pool. Default 0.2. */
  readonly convolutionDropout?: number;
  /** Rate of dropout of the LSTM's input. Default 0.2. */
  readonly dropout?: number;
  /** Rate of dropout of the LSTM's recurrent operand. Default 0.3. */
  readonly recurrentDropout?: number;
}

/** What the published runs share. */
export const kentSalem = {
  /** Positions of a post: its last tokens, padded in front. */
  maxLength: 1000,
  /** Vocabulary, padding included: the 19,999 commonest words. */
  numWords: 20000,
  batchSize: 128,
  epochs: 100,
  /** Validation part: the last fifth of a shuffle, 3,999 of 19,997 posts. */
  validationSplit: 0.2,
  /** The learning rates of the published table. */
  learningRates: [2e-3, 1e-3, 5e-4],
} as const;

/** The layers of the network, in order. */
export function kentSalemLayers(options: KentSalemOptions): Layer[] {
  const { words, vectors, classes, filters = 128, units = 128, convolutionDropout = 0.2 } = options;
  const convolution = () => [
    layers.conv1d({ filters, kernelSize: 5, activation: 'relu' }),
    layers.maxPooling1d({ poolSize: 5 }),
    layers.dropout({ rate: convolutionDropout }),
  ];
  return [
    vectors === undefined
      ? layers.embedding({ inputDim: words, outputDim: options.embeddingSize ?? 100 })
      : layers.embedding({ inputDim: words, outputDim: vectors.shape[1] ?? 0, weights: vectors, trainable: false }),
    ...convolution(),
    ...convolution(),
    ...convolution(),
    layers.bidirectional(
      layers.lstm({
        units,
        variant: options.variant ?? 'LSTM3',
        ...(options.constants === undefined ? {} : { constants: options.constants }),
        compatibility: options.compatibility ?? 'keras',
        activation: options.activation ?? 'tanh',
        recurrentActivation: options.recurrentActivation ?? 'hardSigmoid',
        dropout: options.dropout ?? 0.2,
        recurrentDropout: options.recurrentDropout ?? 0.3,
      }),
    ),
    layers.dense({ units: 128, activation: 'relu' }),
    layers.dense({ units: classes, activation: 'softmax' }),
  ];
}

interface KentSalemSettings extends TokenSettings {
  readonly filters: number;
  readonly convolutionDropout: number;
  readonly validationSplit: number;
  /** A file of word vectors, kept frozen; undefined: an embedding is learnt. */
  readonly vectors: string | undefined;
}

/** On any documents with classes. The paper trains for 100 epochs; 8 are enough to be near its accuracy. */
export const kentSalemRecipe: TextRecipe<KentSalemSettings> = {
  name: 'kent-salem',
  summary: 'documents: three convolutions and a bidirectional LSTM (Kent & Salem 2019)',
  input: 'texts',
  defaults: {
    variant: 'LSTM3',
    forgetConstant: undefined,
    activation: 'tanh',
    recurrentActivation: 'hardSigmoid',
    compatibility: 'keras',
    units: 128,
    dropout: 0.2,
    recurrentDropout: 0.3,
    optimizer: 'rmsprop',
    epsilon: 1e-7,
    learningRate: 2e-3,
    learningRateSchedule: 'constant',
    epochs: 8,
    batchSize: kentSalem.batchSize,
    patience: undefined,
    maxLength: kentSalem.maxLength,
    numWords: kentSalem.numWords,
    embeddingSize: 100,
    filters: 128,
    convolutionDropout: 0.2,
    validationSplit: kentSalem.validationSplit,
    vectors: undefined,
  },
  async prepare(source, settings, preparation) {
    const { signal, say, seed } = preparation;
    checkMaxLength(settings.maxLength);
    if (settings.vectors !== undefined) await checkReadable(settings.vectors);
    const documents = await source.texts();
    const { texts, classNames, labels } = documents;
    const words = tokenizer({ numWords: settings.numWords });
    await words.fitOnTextsAsync(texts, { signal });
    const split = splitOf(documents, settings, seed);
    say(
      `${texts.length} documents of ${classNames.length} classes, ` +
        `${words.wordIndex.size} distinct words; ${split.train.length} to train on, ${split.validation.length} to validate`,
    );
    const vectors = await vectorsFor(words, settings, preparation);
    const sequences = await words.textsToSequencesAsync(texts, { signal });
    const x = await padSequencesAsync(sequences, { maxLength: settings.maxLength, signal });
    const y = { data: labels, shape: [labels.length] };
    const rowsOf = (rows: Int32Array) => ({ x: takeRows(x, rows), y: takeRows(y, rows) });
    const { forgetConstant } = settings;
    return {
      training: rowsOf(split.train),
      validation: split.validation.length > 0 ? rowsOf(split.validation) : null,
      samples: texts.length,
      classNames,
      inputShape: [settings.maxLength],
      layers: kentSalemLayers({
        ...settings,
        ...(forgetConstant === undefined ? {} : { constants: { forget: forgetConstant } }),
        words: words.vocabularySize,
        classes: classNames.length,
        vectors,
      }),
      loss: 'sparseCategoricalCrossentropy',
      text: { tokenizer: words, classNames },
    };
  },
  heldOut: heldOutDocuments,
};

/** Tokens that leave the third pool a step to take. */
const SHORTEST = 249;

function checkMaxLength(maxLength: number): void {
  if (maxLength >= SHORTEST) return;
  throw new InvalidArgumentError(
    `Expected --max-length of ${SHORTEST} or more, which the three convolutions and pools need, but received ` +
      `${maxLength}; shorter documents are padded`,
  );
}

function splitOf(
  { texts, classNames }: LabelledTexts,
  { validationSplit }: KentSalemSettings,
  seed: number,
): { train: Int32Array; validation: Int32Array } {
  const split = trainValidationSplit(texts.length, { validationFraction: validationSplit, seed });
  if (split.train.length === 0) throw new InvalidDataError('There are no documents left to train on');
  if (classNames.length < 2) {
    throw new InvalidDataError(`Expected documents of 2 classes or more but received only ${classNames[0]}`);
  }
  return split;
}

async function vectorsFor(
  words: Tokenizer,
  { vectors: path }: KentSalemSettings,
  { signal, say }: Preparation,
): Promise<Tensor | undefined> {
  if (path === undefined) return undefined;
  const vectors = await wordVectors(path, { words: words.wordIndex, signal });
  const { words: wanted, covered } = vectors.coverage(words.wordIndex, words.vocabularySize);
  say(`word vectors of width ${vectors.dimension} for ${covered} of the ${wanted} commonest words`);
  return vectors.matrix(words.wordIndex, words.vocabularySize);
}

/** The documents that the run held back, found again by its seed. */
async function heldOutDocuments(source: Source, { samples, seed, options }: FinishedRun): Promise<LabelledTexts> {
  const documents = await source.texts();
  if (documents.texts.length !== samples) {
    throw new InvalidDataError(
      `The run was trained on ${samples} documents but --data holds ${documents.texts.length}; ` +
        'its validation part can be found in the same data only',
    );
  }
  const { validation } = trainValidationSplit(samples, {
    validationFraction: options.validationSplit as number,
    seed,
  });
  if (validation.length === 0) {
    throw new InvalidDataError('The run held no documents back: its --validation-split left none to validate');
  }
  return {
    ...documents,
    texts: Array.from(validation, (row) => documents.texts[row] as string),
    labels: validation.map((row) => documents.labels[row] as number),
    names: Array.from(validation, (row) => documents.names[row] as string),
  };
}
