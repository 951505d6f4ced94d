/** From raw text to a model's inputs: what `model.text` holds and what is saved with the model. */

import { checkedOptions, choice } from '../arguments.js';
import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { Int32Tensor } from '../tensor.js';
import { padSequencesAsync } from '../text/pad-sequences.js';
import { Tokenizer } from '../text/tokenizer.js';
import type { Architecture } from './architecture.js';

/** How a model that reads tokens takes raw text. The length of the sequences is the model's own. */
export interface TextPipeline {
  readonly tokenizer: Tokenizer;
  /** Where shorter texts are padded with 0. Default `'pre'`. */
  readonly padding?: 'pre' | 'post';
  /** Where longer texts are cut. Default `'pre'`, which keeps their end. */
  readonly truncating?: 'pre' | 'post';
  /** Names of the classes by id. */
  readonly classNames?: readonly string[];
}

/**
 * The pipeline, checked against the model and frozen.
 *
 * @throws InvalidArgumentError for a model that reads no tokens, a vocabulary larger than the embedding, and class names
 *   that are not as many as the model's outputs.
 */
export function checkedTextPipeline(value: TextPipeline, architecture: Architecture): Required<TextPipeline> {
  const given = checkedOptions(value, ['tokenizer', 'padding', 'truncating', 'classNames'], 'model.text');
  if (architecture.vocabulary === 0) {
    throw new InvalidArgumentError('Expected a model whose first layer is an embedding for model.text');
  }
  if (!(given.tokenizer instanceof Tokenizer)) {
    throw new InvalidArgumentError(expectation('a tokenizer', 'model.text.tokenizer', given.tokenizer));
  }
  const ids = given.tokenizer.vocabularySize;
  if (ids > architecture.vocabulary) {
    throw new InvalidArgumentError(
      `Expected a tokenizer with ids below ${architecture.vocabulary}, the embedding's inputDim, but its ids go up to ` +
        `${ids - 1}; give it numWords: ${architecture.vocabulary}`,
    );
  }
  return Object.freeze({
    tokenizer: given.tokenizer,
    padding: choice(given.padding ?? 'pre', 'padding', ['pre', 'post']),
    truncating: choice(given.truncating ?? 'pre', 'truncating', ['pre', 'post']),
    classNames: checkedClassNames(given.classNames ?? [], architecture.outputShape),
  });
}

function checkedClassNames(value: unknown, outputShape: readonly number[]): readonly string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    throw new InvalidArgumentError(expectation('an array of strings', 'classNames', value));
  }
  const [outputs = 0] = outputShape;
  // One sigmoid output tells two classes apart.
  const classes = outputs === 1 ? 2 : outputs;
  if (value.length !== 0 && value.length !== classes) {
    throw new InvalidArgumentError(`Expected ${classes} names for classNames but received ${value.length}`);
  }
  return Object.freeze([...(value as string[])]);
}

/**
 * Texts as token ids `[texts.length, T]`, in slices that leave the event loop free. A text of which no word is known is
 * padding throughout.
 *
 * @throws InvalidDataError for what is no string, and for a text of nothing but white space.
 */
export async function encodeTexts(
  texts: readonly string[],
  pipeline: Required<TextPipeline> | null,
  { inputShape, vocabulary }: Architecture,
  signal: AbortSignal | undefined,
): Promise<Int32Tensor> {
  if (vocabulary === 0) {
    throw new InvalidArgumentError('Expected numbers: the model has no embedding, so it cannot read text');
  }
  if (pipeline === null) {
    throw new InvalidArgumentError(
      'Expected token ids: the model has no tokenizer; set model.text to predict raw text',
    );
  }
  texts.forEach((text: unknown, i) => {
    if (typeof text !== 'string') throw new InvalidDataError(expectation('a string', `texts[${i}]`, text));
    if (text.trim() === '') throw new InvalidDataError(`Expected a text with words for texts[${i}] but it is empty`);
  });
  const { tokenizer, padding, truncating } = pipeline;
  const options = signal === undefined ? {} : { signal };
  const sequences = await tokenizer.textsToSequencesAsync(texts, options);
  return padSequencesAsync(sequences, { maxLength: inputShape[0], padding, truncating, ...options });
}

/** Whether `x` of `predict` is raw text. An empty array is left to the checks of data. */
export function isTexts(x: unknown): x is readonly string[] {
  return Array.isArray(x) && typeof x[0] === 'string';
}
