/**
 * IMDB as the driver of the authors' code has it (`slim22-driver.py` and `config.py`, 2019): 5,000 words, 500 positions,
 * an embedding of random numbers that stay as they are, a slim LSTM of 100 units whose activation is the sigmoid, one
 * output; Adam at 1.2e-5, one epoch, the test reviews for validation.
 */

import { layers } from '../layers/index.js';
import { imdbReviews, testReviews } from './imdb.js';
import { recurrentLayer, type TextRecipe, type TokenSettings } from './recipe.js';

export const imdbSlim: TextRecipe<TokenSettings> = {
  name: 'imdb-slim',
  summary: "IMDB reviews as in the authors' code: a frozen random embedding",
  input: 'texts',
  defaults: {
    variant: 'LSTM3',
    forgetConstant: undefined,
    activation: 'sigmoid',
    recurrentActivation: 'hardSigmoid',
    compatibility: 'slim22',
    units: 100,
    dropout: 0,
    recurrentDropout: 0,
    optimizer: 'adam',
    epsilon: 1e-8,
    learningRate: 1.2e-5,
    learningRateSchedule: 'constant',
    epochs: 1,
    batchSize: 32,
    patience: undefined,
    maxLength: 500,
    numWords: 5000,
    embeddingSize: 32,
  },
  async prepare(source, settings, preparation) {
    const reviews = await imdbReviews(source, settings, preparation);
    const { numWords, embeddingSize } = settings;
    return {
      ...reviews,
      layers: [
        // Keras' uniform, over [-0.05, 0.05).
        layers.embedding({ inputDim: numWords, outputDim: embeddingSize, trainable: false }),
        recurrentLayer(settings),
        layers.dense({ units: 1, activation: 'sigmoid' }),
      ],
    };
  },
  heldOut: testReviews,
};
