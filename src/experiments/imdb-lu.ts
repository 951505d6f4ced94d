/**
 * IMDB as Lu 2016 (arXiv 1612.03707) has it: 20,000 words, 80 positions, an embedding of 128, an LSTM of 128 units with
 * the layer's defaults of Keras 1 (tanh, hardSigmoid, forget bias 1), dropout of 0.2 on embedding, W and U; RMSprop at a
 * learning rate that follows the training loss; an early end after 20 epochs without improvement, as in the paper's code
 * (the text says 25); the test reviews for validation. Of the paper's initial rates, 1e-2 to 1e-5, this one is within
 * 0.3 points of the best for all variants and takes few epochs.
 *
 * The embedding's dropout in Keras 1 takes whole words out of a batch, all their occurrences together; here it is an
 * ordinary dropout of the embedded values.
 */

import { layers } from '../layers/index.js';
import { imdbReviews, testReviews } from './imdb.js';
import { recurrentLayer, type TextRecipe, type TokenSettings } from './recipe.js';

interface ImdbLuSettings extends TokenSettings {
  readonly embeddingDropout: number;
}

export const imdbLu: TextRecipe<ImdbLuSettings> = {
  name: 'imdb-lu',
  summary: 'IMDB reviews, embedding trained (Lu 2016)',
  input: 'texts',
  defaults: {
    variant: 'LSTM3',
    forgetConstant: undefined,
    activation: 'tanh',
    recurrentActivation: 'hardSigmoid',
    compatibility: 'lu2016',
    units: 128,
    dropout: 0.2,
    recurrentDropout: 0.2,
    optimizer: 'rmsprop',
    epsilon: 1e-8,
    learningRate: 1e-4,
    learningRateSchedule: 'loss',
    epochs: 100,
    batchSize: 32,
    patience: 20,
    maxLength: 80,
    numWords: 20000,
    embeddingSize: 128,
    embeddingDropout: 0.2,
  },
  async prepare(source, settings, preparation) {
    const reviews = await imdbReviews(source, settings, preparation);
    const { numWords, embeddingSize, embeddingDropout } = settings;
    return {
      ...reviews,
      layers: [
        layers.embedding({ inputDim: numWords, outputDim: embeddingSize }),
        layers.dropout({ rate: embeddingDropout }),
        recurrentLayer(settings),
        layers.dense({ units: 1, activation: 'sigmoid' }),
      ],
    };
  },
  heldOut: testReviews,
};
