/**
 * IMDB reviews (Maas et al. 2011) as token ids by the rules of Keras' `imdb.load_data`, made from the reviews themselves
 * instead of Keras' archive of ids: a word's id is its rank among the training reviews plus 3; 1 begins a review, 2
 * stands for the words from `numWords` on, 0 pads, 3 is nobody's. Reviews lose their beginning, the start token with it,
 * where they are too long, and are padded in front.
 *
 * Keras' archive has nearly the same ids: the commonest words have the same rank, rarer ones are apart by less than half
 * a percent, since nobody has written down its exact texts and the order of words of one count. What became of words
 * that only the test reviews have is not told either; here they are 2.
 */

import { InvalidDataError } from '../errors.js';
import { type LabelledTexts, padSequencesAsync, tokenizer } from '../text/index.js';
import type { Experiment, Preparation, Source, TokenSettings } from './recipe.js';

/** The data's part of an experiment: training and test reviews, the latter being what validates. */
export async function imdbReviews(
  source: Source,
  { numWords, maxLength }: TokenSettings,
  { signal, say }: Preparation,
): Promise<Omit<Experiment, 'layers'>> {
  const train = await source.texts('train');
  const test = await source.texts('test');
  checkClasses(source.path, train, test);
  const words = tokenizer({ numWords, startToken: '<start>', oovToken: '<unknown>', indexFrom: 3 });
  await words.fitOnTextsAsync(train.texts, { signal });
  say(
    `${train.texts.length} reviews to train on, with ${words.wordIndex.size - 2} distinct words; ` +
      `${test.texts.length} to validate`,
  );
  const rowsOf = async ({ texts, labels }: LabelledTexts) => ({
    x: await padSequencesAsync(await words.textsToSequencesAsync(texts, { signal }), { maxLength, signal }),
    y: { data: labels, shape: [labels.length] },
  });
  return {
    training: await rowsOf(train),
    validation: await rowsOf(test),
    samples: train.texts.length + test.texts.length,
    classNames: train.classNames,
    inputShape: [maxLength],
    loss: 'binaryCrossentropy',
    text: { tokenizer: words, classNames: train.classNames },
  };
}

/** The part of the data that a run validated with. */
export const testReviews = (source: Source) => source.texts('test');

function checkClasses(path: string, train: LabelledTexts, test: LabelledTexts): void {
  if (train.classNames.length !== 2) {
    throw new InvalidDataError(`Expected reviews of 2 classes in ${path} but found ${train.classNames.join(', ')}`);
  }
  if (train.classNames.join('/') !== test.classNames.join('/')) {
    throw new InvalidDataError(
      `Expected the classes ${train.classNames.join(' and ')} in test too but ${path} has ${test.classNames.join(', ')}`,
    );
  }
}
