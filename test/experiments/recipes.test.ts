/** The published experiments as recipes: what each makes of data, against the papers' figures and rules. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lossSchedule } from '../../src/experiments/loss-schedule.js';
import type { Experiment, Recipe, Settings, Source } from '../../src/experiments/recipe.js';
import { recipes } from '../../src/experiments/recipes.js';
import { InvalidDataError, type LabelledTexts, layers, readDirectory, sequential, variants } from '../../src/index.js';
import { arrange, parameterShapes } from '../../src/model/architecture.js';
import { idxBytes } from '../images/idx-files.js';
import { dataFolder, isMissing } from '../text/data-folder.js';

const IMDB = 'imdb/aclImdb_labelled.tar.gz';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slim-lstm-recipes-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function labelled(documents: Record<string, string[]>): LabelledTexts {
  const classNames = Object.keys(documents);
  const texts = Object.values(documents).flat();
  const labels = Object.values(documents).flatMap((list, id) => list.map(() => id));
  return { texts, labels: Int32Array.from(labels), classNames, names: texts.map((_, i) => `${i}`), emptyDocuments: 0 };
}

function sourceOf(parts: Record<string, LabelledTexts>): Source {
  return { path: 'reviews', texts: async (subset = 'all') => parts[subset] as LabelledTexts };
}

const reviews = sourceOf({
  train: labelled({ neg: ['bad bad film'], pos: ['good film', 'a good good film'] }),
  test: labelled({ neg: ['bad acting'], pos: ['good'] }),
});

function recipe(name: string): Recipe {
  return recipes.find((candidate) => candidate.name === name) as Recipe;
}

function prepared(name: string, source: Source, settings: Partial<Settings & Record<string, unknown>> = {}) {
  const { defaults, prepare } = recipe(name);
  const preparation = { seed: 1, signal: new AbortController().signal, say: () => {} };
  return prepare(source, { ...defaults, ...settings }, preparation);
}

/** Trainable and frozen numbers of each layer by its name. */
function parameters({ layers, inputShape }: Experiment): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name, shape } of parameterShapes(arrange(layers, inputShape))) {
    const layer = name.slice(0, name.indexOf('/'));
    counts[layer] = (counts[layer] ?? 0) + shape.reduce((product, size) => product * size, 1);
  }
  return counts;
}

/** 28 x 28 images with the grey value of their label. */
async function mnistFolder(train: number[], test: number[]): Promise<Source> {
  const path = await mkdtemp(join(folder, 'mnist-'));
  for (const [part, labels] of [
    ['train', train],
    ['t10k', test],
  ] as const) {
    const pixels = labels.flatMap((label) => Array(784).fill(label));
    await writeFile(join(path, `${part}-images-idx3-ubyte`), idxBytes([labels.length, 28, 28], pixels));
    await writeFile(join(path, `${part}-labels-idx1-ubyte`), idxBytes([labels.length], labels));
  }
  return { path, texts: () => Promise.reject(new Error('MNIST holds no texts')) };
}

const digits = [...Array(10).keys()];

describe('IMDB', () => {
  it.each(['imdb-slim', 'imdb-lu'])('%s makes the ids that imdb.load_data makes of the ranks', async (name) => {
    const { training, validation, inputShape } = await prepared(name, reviews, { maxLength: 6, numWords: 7 });
    // By falling count, then first seen: film 3, good 3, bad 2, a 1. Ids: rank + 3, from 7 on 2; start 1, padding 0.
    const [film, good, bad, rare] = [4, 5, 6, 2];
    expect([...training.x.data]).toEqual([
      ...[0, 0, 1, bad, bad, film],
      ...[0, 0, 0, 1, good, film],
      ...[0, 1, rare, good, good, film],
    ]);
    expect([...(validation?.x.data ?? [])]).toEqual([...[0, 0, 0, 1, bad, rare], ...[0, 0, 0, 0, 1, good]]);
    expect([...training.y.data, ...(validation?.y.data ?? [])]).toEqual([0, 1, 1, 0, 1]);
    expect(inputShape).toEqual([6]);
  });

  it('cuts the beginning of long reviews, the start token with it', async () => {
    const { training } = await prepared('imdb-lu', reviews, { maxLength: 2 });
    expect([...training.x.data].includes(1)).toBe(false);
  });

  it.skipIf(isMissing(IMDB))(
    'agrees with the ids of Keras’ archive, those of rarer words but for half a percent',
    async () => {
      const path = join(dataFolder, IMDB);
      const train = await readDirectory(path, { subset: 'train' });
      // The test reviews have no part in the ids.
      const source = sourceOf({ train, test: labelled({ neg: ['bad'], pos: ['good'] }) });
      const { text } = await prepared('imdb-slim', source, { numWords: 10_000 });
      const { texts } = train;
      const review = texts.find((candidate) => candidate.startsWith('this film was just brilliant')) as string;
      // keras.datasets.imdb.load_data(num_words=10000)[0][0][0][:30]
      const archive = [
        ...[1, 14, 22, 16, 43, 530, 973, 1622, 1385, 65, 458, 4468, 66, 3941, 4, 173, 36, 256, 5, 25],
        ...[100, 43, 838, 112, 50, 670, 2, 9, 35, 480],
      ];
      const ids = text?.tokenizer.textsToSequences([review])[0]?.slice(0, archive.length) ?? [];
      const apart = archive.map((id, i) => Math.abs((ids[i] as number) - id) / id);
      expect(Math.max(...apart)).toBeLessThan(0.005);
      // Ids up to 500 are the same.
      expect(ids.filter((_, i) => (archive[i] as number) < 500)).toEqual(archive.filter((id) => id < 500));
    },
  );

  it.each([
    // Lu 2016, Table III, for the LSTM; 20,000 x 128 for the embedding; one output.
    ['imdb-lu', 'LSTM', { embedding: 2_560_000, lstm: 131_584, dense: 129 }],
    ['imdb-lu', 'LSTM3', { embedding: 2_560_000, lstm: 33_280, dense: 129 }],
    // The authors' driver: 5,000 x 32, LSTM3 of 100 units over 32 inputs.
    ['imdb-slim', 'LSTM3', { embedding: 160_000, lstm: 13_600, dense: 101 }],
  ])('%s with %s has the published numbers of parameters', async (name, variant, expected) => {
    expect(parameters(await prepared(name, reviews, { variant }))).toEqual(expected);
  });

  it('imdb-slim has an embedding of random numbers within 0.05 that stays as it is', async () => {
    const experiment = await prepared('imdb-slim', reviews);
    using model = sequential(experiment.layers, { inputShape: experiment.inputShape, device: 'cpu', seed: 1 });
    const { data } = model.weights()['embedding/embeddings'] as { data: Float32Array };
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThanOrEqual(Math.fround(0.05));
    expect(largest).toBeGreaterThan(0.0499);
    expect(experiment.layers[0]?.config).toMatchObject({ trainable: false });
  });

  it('refuses data of other classes', async () => {
    const three = labelled({ a: ['x'], b: ['y'], c: ['z'] });
    await expect(prepared('imdb-lu', sourceOf({ train: three, test: three }))).rejects.toThrow(InvalidDataError);
    const other = labelled({ bad: ['x'], good: ['y'] });
    const train = labelled({ neg: ['x'], pos: ['y'] });
    await expect(prepared('imdb-lu', sourceOf({ train, test: other }))).rejects.toThrow(/test too.*bad, good/);
  });
});

describe('MNIST', () => {
  it('rows are 28 steps of 28, pixels 784 steps of one, in reading order', async () => {
    const source = await mnistFolder(digits, [3, 4]);
    const rows = await prepared('mnist-rows', source);
    const pixels = await prepared('mnist-pixels', source);
    expect(rows.training.x.shape).toEqual([10, 28, 28]);
    expect(pixels.training.x.shape).toEqual([10, 784, 1]);
    expect(pixels.training.x.data).toEqual(rows.training.x.data);
    expect(rows.validation?.x.shape).toEqual([2, 28, 28]);
    expect(rows.samples).toBe(12);
  });

  it('is standardized with mean and deviation of the training images, the test images too', async () => {
    const { training, validation, pixels } = await prepared('mnist-rows', await mnistFolder(digits, [9]));
    // Of the values 0 to 9: mean 4.5, variance (10^2 - 1) / 12.
    const deviation = Math.sqrt(99 / 12);
    expect(pixels?.mean[100]).toBeCloseTo(4.5, 12);
    expect(pixels?.deviation[100]).toBeCloseTo(deviation, 12);
    expect(training.x.data[0]).toBeCloseTo(-4.5 / (deviation + 1e-6), 6);
    expect(validation?.x.data[0]).toBeCloseTo(4.5 / (deviation + 1e-6), 6);
  });

  it.each([
    // Lu 2016, Tables I and II; ten outputs.
    ['mnist-rows', 'LSTM', 15_800, 510],
    ['mnist-rows', 'LSTM1', 11_600, 510],
    ['mnist-rows', 'LSTM3', 4_100, 510],
    ['mnist-pixels', 'LSTM', 40_800, 1010],
    ['mnist-pixels', 'LSTM2', 40_200, 1010],
  ])('%s with %s has the published number of parameters', async (name, variant, lstm, dense) => {
    expect(parameters(await prepared(name, await mnistFolder(digits, [1]), { variant }))).toEqual({ lstm, dense });
  });

  it('refuses labels of one class, and such as are none', async () => {
    await expect(prepared('mnist-rows', await mnistFolder([0, 0], [0]))).rejects.toThrow(/2 classes or more/);
    const source = await mnistFolder(digits, [1]);
    const labels = Buffer.concat([Buffer.from([0, 0, 11, 1, 0, 0, 0, 1]), Buffer.from([0x7f, 0xff])]);
    await writeFile(join(source.path, 't10k-labels-idx1-ubyte'), labels);
    await expect(prepared('mnist-rows', source)).rejects.toThrow(/labels from 0 to 999.*found 32767/);
  });
});

describe('Kent & Salem', () => {
  const documents = sourceOf({
    all: labelled({ a: Array(10).fill('some words'), b: Array(10).fill('other words here') }),
  });

  it('holds back a part that the run finds again', async () => {
    const { training, validation, text } = await prepared('kent-salem', documents, { validationSplit: 0.25 });
    expect(training.x.shape).toEqual([15, 1000]);
    expect(validation?.x.shape).toEqual([5, 1000]);
    const again = recipe('kent-salem');
    if (again.input !== 'texts') throw new Error('kent-salem reads texts');
    const run = { seed: 1, samples: 20, options: { validationSplit: 0.25 } };
    const { texts, labels } = await again.heldOut(documents, run);
    expect([...labels]).toEqual([...(validation?.y.data ?? [])]);
    expect(text?.tokenizer.textsToSequences(texts).map((ids) => ids.length)).toEqual(
      [...labels].map((label) => (label === 0 ? 2 : 3)),
    );
    await expect(again.heldOut(documents, { ...run, samples: 21 })).rejects.toThrow(
      /trained on 21 documents.*holds 20/,
    );
  });

  it('has 7 steps for the LSTM and two dense layers behind it', async () => {
    const { layers: stack, inputShape } = await prepared('kent-salem', documents);
    const shapes = arrange(stack, inputShape).layers.map(({ built }) => built.output.shape);
    expect(shapes.slice(-4)).toEqual([[7, 128], [256], [128], [2]]);
  });
});

describe('every recipe', () => {
  it.each(recipes)(
    '$name takes all variants, another forget constant, and initial weights of any code',
    async ({ name, input }) => {
      const all = labelled({ neg: ['bad film', 'no'], pos: ['good film', 'yes'] });
      const source = input === 'images' ? await mnistFolder(digits, [1]) : sourceOf({ all, train: all, test: all });
      for (const variant of Object.keys(variants)) {
        for (const compatibility of ['keras', 'slim22', 'lu2016'] as const) {
          const { layers: stack, inputShape } = await prepared(name, source, { variant, compatibility });
          expect(JSON.stringify(arrange(stack, inputShape).layers.map(({ layer }) => layer.config))).toContain(
            `"variant":"${variant}"`,
          );
        }
      }
      const { layers: stack } = await prepared(name, source, { variant: 'LSTM6', forgetConstant: 0.59 });
      expect(JSON.stringify(stack.map(({ config }) => config))).toContain('"forget":{"constant":0.59}');
      await expect(prepared(name, source, { variant: 'LSTM3', forgetConstant: 0.59 })).rejects.toThrow(
        'Expected no constant for the forget gate of variant LSTM3',
      );
    },
    120_000,
  );
});

describe('the learning rate that follows the loss', () => {
  it('is 1e-3 in the first epoch, then the initial rate times exp(training loss)', async () => {
    using model = sequential([layers.lstm({ units: 3 }), layers.dense({ units: 2, activation: 'softmax' })], {
      inputShape: [4, 2],
      device: 'cpu',
      seed: 2,
    });
    model.compile({ optimizer: 'rmsprop', loss: 'sparseCategoricalCrossentropy' });
    const x = { data: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)), shape: [8, 4, 2] };
    const { history } = await model.fit(x, Int32Array.of(0, 1, 0, 1, 0, 1, 0, 1), {
      epochs: 4,
      callbacks: [lossSchedule(2e-4)],
      verbose: 0,
    });
    const { loss = [], learning_rate: rates = [] } = history;
    expect(rates).toHaveLength(4);
    expect(rates[0]).toBe(1e-3);
    for (const epoch of [1, 2, 3]) expect(rates[epoch]).toBeCloseTo(2e-4 * Math.exp(loss[epoch - 1] as number), 12);
  });
});
