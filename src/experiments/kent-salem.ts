/**
 * The network of Kent & Salem 2019 (arXiv 1901.00525): word vectors, three convolutions with pooling, a bidirectional
 * slim LSTM, two dense layers, on 20 Newsgroups. What the paper leaves open follows the example it builds on, Keras'
 * `pretrained_word_embeddings.py` of 2017; the third pool is 5, so that the LSTM sees 7 steps of 1,000 tokens.
 */

import type { Layer } from '../layers/index.js';
import { layers } from '../layers/index.js';
import type { Tensor } from '../tensor.js';
import type { Variant } from '../variants.js';

export interface KentSalemOptions {
  /** Rows of the embedding; ids run from 0 (padding) to `words - 1`. */
  readonly words: number;
  readonly classes: number;
  /** Word vectors `[words, d]`, frozen. Without them the network learns an embedding of width 100. */
  readonly vectors?: Tensor;
  /** A name of the table of variants, or a variant. Default `'LSTM3'`. */
  readonly variant?: string | Variant;
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
      ? layers.embedding({ inputDim: words, outputDim: 100 })
      : layers.embedding({ inputDim: words, outputDim: vectors.shape[1] ?? 0, weights: vectors, trainable: false }),
    ...convolution(),
    ...convolution(),
    ...convolution(),
    layers.bidirectional(
      layers.lstm({
        units,
        variant: options.variant ?? 'LSTM3',
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
