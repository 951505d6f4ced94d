/** Real texts as arrays, made with the package's own readers and tokenizer. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  padSequences,
  readDirectory,
  takeRows,
  tokenizer,
  trainValidationSplit,
  wordVectors,
} from '../../dist/index.js';
import { root } from '../../scripts/setup/command.mjs';
import { mean } from './statistics.mjs';

const NUM_WORDS = 20000;

/** The folder with data sets: the one that is named, `SLIM_LSTM_DATA`, or `../shared/data`. */
export function dataFolder(named) {
  return named ?? process.env.SLIM_LSTM_DATA ?? join(root, '..', 'shared', 'data');
}

/** @returns the path, or undefined where the file is missing */
export function dataFile(folder, name) {
  const path = join(folder, name);
  return existsSync(path) ? path : undefined;
}

function tokenized(texts, chosen, maxLength) {
  const words = tokenizer({ numWords: NUM_WORDS });
  words.fitOnTexts(texts);
  const sequences = words.textsToSequences(Array.from(chosen, (row) => texts[row]));
  return { x: padSequences(sequences, { maxLength }), wordIndex: words.wordIndex };
}

/** Posts of 20 Newsgroups as the network of Kent & Salem reads them: the last 1,000 tokens, padded in front. */
export async function newsgroupPosts(archive, vectorsFile, count) {
  const { texts, labels } = await readDirectory(archive, { encoding: 'latin1', skipHeaders: true });
  const chosen = trainValidationSplit(texts.length, { validationFraction: 0, seed: 1 }).train.slice(0, count);
  const { x, wordIndex } = tokenized(texts, chosen, 1000);
  const vectors = (await wordVectors(vectorsFile)).matrix(wordIndex, NUM_WORDS);
  return { x, y: takeRows({ data: labels, shape: [labels.length] }, chosen), vectors };
}

/** Batches `[batches, B, T]` of IMDB reviews, the last T tokens of each, padded in front. */
export async function reviewBatches(archive, sizes) {
  const { texts } = await readDirectory(archive, { subset: 'train' });
  const most = Math.max(...sizes.map(({ batch, batches }) => batch * batches));
  const chosen = trainValidationSplit(texts.length, { validationFraction: 0, seed: 1 }).train.slice(0, most);
  const { x } = tokenized(texts, chosen, Math.max(...sizes.map(({ steps }) => steps)));
  return sizes.map(({ batch, batches, steps }) => ({
    data: x.data.slice(0, batch * batches * steps),
    shape: [batches, batch, steps],
  }));
}

/** Tokens of a batch that are not padding: the mean over the batches. */
export function trueTokens({ data, shape: [batches] }) {
  return Math.round(data.filter((id) => id !== 0).length / batches);
}

/** Steps of the longest padding in front in a batch: the mean over the batches. */
export function longestPadding({ data, shape: [batches, batch, steps] }) {
  const paddingOf = (row) => {
    const first = data.subarray(row * steps, (row + 1) * steps).findIndex((id) => id !== 0);
    return first === -1 ? steps : first;
  };
  const rows = Array.from({ length: batches * batch }, (_, row) => paddingOf(row));
  return Math.round(
    mean(Array.from({ length: batches }, (_, i) => Math.max(...rows.slice(i * batch, (i + 1) * batch)))),
  );
}

/** Tokens that differ in a batch, padding among them: the mean over the batches. */
export function distinctTokens({ data, shape: [batches, batch, steps] }) {
  const distinctIn = (i) => new Set(data.subarray(i * batch * steps, (i + 1) * batch * steps)).size;
  return Math.round(mean(Array.from({ length: batches }, (_, i) => distinctIn(i))));
}

/** The vocabulary that these arrays are of, padding included. */
export const vocabulary = NUM_WORDS;
