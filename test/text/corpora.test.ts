import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LabelledTexts } from '../../src/text/labelled-texts.js';
import { padSequencesAsync } from '../../src/text/pad-sequences.js';
import { readCsv } from '../../src/text/read-csv.js';
import { readDirectory } from '../../src/text/read-directory.js';
import { type Tokenizer, tokenizer } from '../../src/text/tokenizer.js';
import { wordVectors } from '../../src/text/word-vectors.js';
import { dataFolder, isMissing } from './data-folder.js';

interface Corpus {
  documents: number;
  classNames: string[];
  perClass: number[];
  firstNames: string[];
  texts: string;
  tokens: number;
  words: number;
  ids: number;
  empty: number;
  commonest: string[];
  firstIds: Record<string, number[]>;
  padded: string;
}

interface Vectors {
  size: number;
  dimension: number;
  covered: number;
  matrix: string;
}

// Written by Keras itself: test/oracle/text_corpora.py. The 174,074 tokens of 20 Newsgroups are also what runs of Keras'
// example pretrained_word_embeddings.py print under Python 3.
const oracle: {
  news: Corpus;
  imdb: Corpus;
  glove: Vectors;
  vectors: Vectors;
  airline: { rows: number; labels: [string, number][]; texts: string };
} = JSON.parse(readFileSync(new URL('../oracle/fixtures/text-corpora.json', import.meta.url), 'utf8'));

const NEWS = '20news/20_newsgroup.tar.gz';
const IMDB = 'imdb/aclImdb_labelled.tar.gz';
const GLOVE = 'glove/glove.6B.50d.first17664.txt.gz';
const VECTORS = 'vectors/news-imdb.ppmi-svd.100d.txt.gz';
const AIRLINE = 'airline/Tweets.csv.gz';

const NUM_WORDS = 20_000;

function sha256(data: string | Int32Array | Float32Array): string {
  return createHash('sha256').update(data).digest('hex');
}

async function expectCorpus(documents: LabelledTexts, expected: Corpus): Promise<Tokenizer> {
  expect(documents.classNames).toEqual(expected.classNames);
  const perClass = documents.classNames.map(() => 0);
  for (const label of documents.labels) perClass[label] = (perClass[label] as number) + 1;
  expect(perClass).toEqual(expected.perClass);
  expect(documents.names.slice(0, 3)).toEqual(expected.firstNames);
  expect(sha256(documents.texts.join('\0'))).toBe(expected.texts);

  const fitted = tokenizer({ numWords: NUM_WORDS });
  await fitted.fitOnTextsAsync(documents.texts);
  expect(fitted.wordIndex.size).toBe(expected.tokens);
  expect([...fitted.wordCounts.values()].reduce((sum, count) => sum + count)).toBe(expected.words);
  expect([...fitted.wordIndex.keys()].slice(0, expected.commonest.length)).toEqual(expected.commonest);

  const sequences = await fitted.textsToSequencesAsync(documents.texts);
  for (const [i, ids] of Object.entries(expected.firstIds)) expect(sequences[Number(i)]?.slice(0, 10)).toEqual(ids);
  expect(sequences.reduce((sum, sequence) => sum + sequence.length, 0)).toBe(expected.ids);
  expect(sequences.filter((sequence) => sequence.length === 0)).toHaveLength(expected.empty);

  const padded = await padSequencesAsync(sequences, { maxLength: 1000 });
  expect(padded.shape).toEqual([expected.documents, 1000]);
  expect(sha256(padded.data)).toBe(expected.padded);
  return fitted;
}

async function expectVectors(file: string, { wordIndex }: Tokenizer, expected: Vectors): Promise<void> {
  const vectors = await wordVectors(join(dataFolder, file), { words: wordIndex, numWords: NUM_WORDS });
  expect([vectors.dimension, vectors.size]).toEqual([expected.dimension, expected.covered]);
  expect(vectors.coverage(wordIndex, NUM_WORDS)).toEqual({ words: NUM_WORDS - 1, covered: expected.covered });
  expect(sha256(vectors.matrix(wordIndex, NUM_WORDS).data)).toBe(expected.matrix);
}

/** The longest time that a timer of 1 ms came late while `work` ran, in milliseconds. */
async function longestDelay(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  Promise.allSettled([work]).then(() => {
    isDone = true;
  });
  let longest = 0;
  while (!isDone) {
    const before = performance.now();
    await setTimeout(1);
    longest = Math.max(longest, performance.now() - before - 1);
  }
  await work;
  return longest;
}

describe('20 Newsgroups', () => {
  it.skipIf(isMissing(NEWS) || isMissing(GLOVE) || isMissing(VECTORS))(
    "comes out as from Keras' example, posts, words, ids and word vectors",
    async () => {
      const path = join(dataFolder, NEWS);
      const posts = await readDirectory(path, { encoding: 'latin1', skipHeaders: true, match: /^\d+$/ });
      expect(posts.texts).toHaveLength(19_997);
      const fitted = await expectCorpus(posts, oracle.news);
      expect(fitted.wordIndex.size).toBe(174_074);
      await expectVectors(GLOVE, fitted, oracle.glove);
      await expectVectors(VECTORS, fitted, oracle.vectors);
    },
  );

  it.skipIf(isMissing(NEWS))('is read and tokenized without holding up timers for long', async () => {
    const path = join(dataFolder, NEWS);
    let texts: string[] = [];
    const reading = await longestDelay(
      readDirectory(path, { encoding: 'latin1', skipHeaders: true }).then((posts) => {
        texts = posts.texts;
      }),
    );
    const fitted = tokenizer({ numWords: NUM_WORDS });
    const fitting = await longestDelay(fitted.fitOnTextsAsync(texts));
    const encoding = await longestDelay(fitted.textsToSequencesAsync(texts));
    // At a stretch, the fit takes over half a second here, and as long as it likes on a loaded machine;
    // the bound leaves room for the pauses of the garbage collector.
    expect(Math.max(reading, fitting, encoding)).toBeLessThan(200);
  });
});

describe('IMDB', () => {
  it.skipIf(isMissing(IMDB))('comes out as from Keras, read by its subset', async () => {
    const reviews = await readDirectory(join(dataFolder, IMDB), { subset: 'train' });
    expect(reviews.classNames).toEqual(['neg', 'pos']);
    await expectCorpus(reviews, oracle.imdb);
  });
});

describe('the airline tweets', () => {
  it.skipIf(isMissing(AIRLINE))("come out as from Python's csv, quoted newlines and all", async () => {
    const tweets = await readCsv(join(dataFolder, AIRLINE), { text: 'text', label: 'airline_sentiment' });
    expect(tweets.texts).toHaveLength(oracle.airline.rows);
    const counts = tweets.classNames.map((name, id) => [name, tweets.labels.filter((label) => label === id).length]);
    expect(counts).toEqual(oracle.airline.labels);
    expect(sha256(tweets.texts.join('\0'))).toBe(oracle.airline.texts);
  });
});
