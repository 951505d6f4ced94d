/** The recipes of the command line, each on data of its kind small enough to learn within seconds. */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idxBytes } from '../images/idx-files.js';
import { lines, type Outcome, run } from './process.js';

let folder: string;
let digits: string;
let reviews: string;

/** 8 x 8 images whose upper or lower half is bright, by the label. */
async function writeImages(part: string, count: number): Promise<void> {
  const labels = Array.from({ length: count }, (_, i) => i % 2);
  const pixels = labels.flatMap((label, image) =>
    Array.from({ length: 64 }, (_, i) => ((i < 32 ? 0 : 1) === label ? 200 : 20) + ((image * 31 + i * 7) % 40)),
  );
  await writeFile(join(digits, `${part}-images-idx3-ubyte.gz`), gzipSync(idxBytes([count, 8, 8], pixels)));
  await writeFile(join(digits, `${part}-labels-idx1-ubyte`), idxBytes([count], labels));
}

const phrases = {
  neg: ['a dull and boring film', 'the worst acting ever', 'boring from start to end'],
  pos: ['a wonderful film', 'the best acting ever', 'moving from start to end'],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slim-lstm-recipes-'));
  digits = join(folder, 'digits');
  reviews = join(folder, 'reviews');
  await mkdir(digits);
  await writeImages('train', 60);
  await writeImages('t10k', 20);
  for (const [part, count] of [
    ['train', 15],
    ['test', 5],
  ] as const) {
    for (const [label, texts] of Object.entries(phrases)) {
      await mkdir(join(reviews, part, label), { recursive: true });
      for (let i = 0; i < count; i++) {
        await writeFile(join(reviews, part, label, `${i}_7.txt`), texts[i % 3] as string);
      }
    }
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const objects = ({ out }: Outcome) => lines(out).map((line) => JSON.parse(line));

describe.each(['mnist-rows', 'mnist-pixels'])('slim-lstm train --recipe %s', (recipe) => {
  const out = () => join(folder, recipe);
  let trained: Outcome;

  beforeAll(async () => {
    const settings = [
      '--units',
      '8',
      '--epochs',
      '6',
      '--batch-size',
      '4',
      '--learning-rate',
      '1e-2',
      '--threads',
      '2',
    ];
    trained = await run(['train', '--recipe', recipe, '--data', digits, ...settings, '--out', out(), '--json']);
  });

  it('learns, validates with the test images, and keeps what standardized them', async () => {
    expect(trained.err).toBe('');
    const epochs = objects(trained);
    expect(epochs).toHaveLength(7);
    expect(epochs[5].loss).toBeLessThan(0.5 * epochs[0].loss);
    expect(epochs[0].learning_rate).toBe(1e-3);
    expect(epochs[1].learning_rate).toBeCloseTo(1e-2 * Math.exp(epochs[0].loss), 10);
    expect((await readdir(out())).sort()).toEqual(['history.json', 'model', 'pixels.json', 'run.json']);
    const record = JSON.parse(await readFile(join(out(), 'run.json'), 'utf8'));
    expect(record).toMatchObject({ recipe, samples: 80, options: { units: 8, compatibility: 'lu2016', dropout: 0 } });
  });

  it('evaluate finds the test images again, and all of them together', async () => {
    const last = objects(trained)[5];
    const validation = await run(['evaluate', out(), '--data', digits, '--part', 'validation', '--json']);
    const { images, accuracy, loss } = JSON.parse(validation.out);
    expect([images, accuracy]).toEqual([20, last.val_accuracy]);
    expect(loss).toBeCloseTo(last.val_loss, 4);
    const all = await run(['evaluate', out(), '--data', digits]);
    expect(lines(all.out)[0]).toBe('80 images');
  });

  it('predict reads an idx file', async () => {
    const images = join(digits, 't10k-images-idx3-ubyte.gz');
    const classes = objects(await run(['predict', out(), '--images', images, '--json']));
    expect(classes.map(({ image }) => image)).toEqual([...Array(20).keys()]);
    const right = classes.filter(({ label }, i) => Number(label) === i % 2).length;
    expect(right / 20).toBe(objects(trained)[5].val_accuracy);
    const inWords = await run(['predict', out(), '--images', images, '--top', '2']);
    expect(lines(inWords.out)).toHaveLength(20);
    expect(lines(inWords.out)[0]).toMatch(/^[01] \d+\.\d %\t[01] \d+\.\d %$/);
  });

  it('predict says what it wants in place of a text', async () => {
    const refused = await run(['predict', out(), 'some text']);
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/Expected --images for the run .*, which was trained on images/);
  });
});

describe.each([
  ['imdb-lu', ['--units', '8', '--epochs', '20', '--learning-rate', '2e-2']],
  // Frozen vectors of small random numbers ask for more.
  ['imdb-slim', ['--units', '16', '--epochs', '80', '--learning-rate', '5e-2', '--activation', 'tanh']],
])('slim-lstm train --recipe %s', (recipe, size) => {
  const out = () => join(folder, recipe);
  let trained: Outcome;

  beforeAll(async () => {
    const settings = ['--batch-size', '5', '--max-length', '8', '--num-words', '40', '--optimizer', 'adam'];
    const rest = ['--threads', '2', '--out', out(), '--json'];
    trained = await run(['train', '--recipe', recipe, '--data', reviews, ...settings, ...size, ...rest]);
  });

  it('learns from train, validates with test', () => {
    expect(trained.err).toBe('');
    const epochs = objects(trained).slice(0, -1);
    expect(epochs.length).toBeGreaterThan(5);
    expect(epochs.at(-1).val_accuracy).toBeGreaterThanOrEqual(0.9);
  });

  it('evaluate gives the same for --part validation and --subset test', async () => {
    const last = objects(trained).at(-2);
    const data = ['evaluate', out(), '--data', reviews, '--json'];
    const validation = JSON.parse((await run([...data, '--part', 'validation'])).out);
    expect(validation.documents).toBe(10);
    expect(validation.accuracy).toBeCloseTo(last.val_accuracy, 6);
    expect(validation.loss).toBeCloseTo(last.val_loss, 4);
    expect(JSON.parse((await run([...data, '--subset', 'test'])).out)).toEqual(validation);
  });

  it('predict reads texts, and no images', async () => {
    const { out: printed } = await run(['predict', out(), '--json', 'the best film']);
    expect(Object.keys(JSON.parse(printed).probabilities).sort()).toEqual(['neg', 'pos']);
    const refused = await run(['predict', out(), '--images', 'digits']);
    expect(refused.err).toMatch(/Expected texts for the model in .*, which reads no images/);
    expect(refused.code).toBe(2);
  });
});

describe('slim-lstm train with a variant of one own', () => {
  const halfForgetting = {
    name: 'half forgetting',
    input: { recurrent: 'diagonal' },
    forget: { constant: 0.5 },
    candidate: { input: true, recurrent: 'full', bias: true },
    output: { constant: 1 },
  };

  it.each([
    ['mnist-rows', () => digits, []],
    ['imdb-lu', () => reviews, ['--max-length', '8', '--num-words', '40']],
    ['kent-salem', () => join(reviews, 'train'), ['--max-length', '249', '--filters', '4', '--num-words', '40']],
  ])('%s tells its name, and evaluate needs the file no more', async (recipe, data, size) => {
    const file = join(folder, 'half-forgetting.json');
    const out = join(folder, `own-${recipe}`);
    await writeFile(file, JSON.stringify(halfForgetting));
    const settings = ['--units', '2', '--epochs', '1', '--forget-constant', '0.25', '--out', out, ...size];
    const trained = await run(['train', '--recipe', recipe, '--data', data(), '--variant', file, ...settings]);
    await rm(file);
    expect(trained.err).toBe('');
    expect(trained.out).toContain('; half forgetting with forget 0.25, tanh, ');
    expect(JSON.parse(await readFile(join(out, 'run.json'), 'utf8')).options.variant).toMatchObject(halfForgetting);
    expect(await readFile(join(out, 'model', 'model.json'), 'utf8')).toContain('half forgetting with forget 0.25');
    const evaluated = await run(['evaluate', out, '--data', data(), '--part', 'validation', '--json']);
    expect(evaluated.err).toBe('');
    expect(JSON.parse(evaluated.out).accuracy).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['that is missing', null, 1, /Cannot read .*: there is no such file/],
    ['that is no JSON', '{', 1, /is not JSON/],
    ['of two variants', JSON.stringify([halfForgetting, halfForgetting]), 2, /one variant in .* an array of 2/],
    ['with a forget constant of 1', JSON.stringify({ ...halfForgetting, forget: { constant: 1 } }), 2, /-1 and 1/],
  ])('refuses a file %s, naming it, before anything is written', async (_what, content, code, message) => {
    const bad = join(folder, 'bad.json');
    await rm(bad, { force: true });
    if (content !== null) await writeFile(bad, content);
    const out = join(folder, 'refused-variant');
    const outcome = await run(['train', '--data', reviews, '--variant', bad, '--out', out]);
    expect(outcome.err).toMatch(message);
    expect(outcome.err).toContain(bad);
    expect(outcome.code).toBe(code);
    await expect(readdir(out)).rejects.toThrow(/ENOENT/);
  });
});

describe('what a recipe has no use for', () => {
  it.each([
    ['mnist-rows', ['--filters', '3'], 2, /Expected no --filters for the recipe mnist-rows, which has no use for it/],
    ['imdb-lu', ['--validation-split', '0.3'], 2, /Expected no --validation-split for the recipe imdb-lu/],
    ['imdb-lu', ['--subset', 'train'], 2, /Expected no --subset for the recipe imdb-lu/],
    ['imdb-slim', ['--format', 'csv'], 2, /with a folder train for --data of the recipe imdb-slim/],
    ['mnist-pixels', ['--headers', 'keep'], 2, /Expected no --headers for the recipe mnist-pixels, which reads images/],
    ['mnist-rows', ['--forget-constant', '0.5'], 2, /no constant for the forget gate of variant LSTM3/],
    ['mnist-rows', ['--variant', 'LSTM6', '--forget-constant', '1.5'], 2, /between -1 and 1/],
    ['mnist-rows', ['--forget-constant', 'x'], 2, /Expected a number/],
    ['mnist-rows', [], 1, /train-images-idx3-ubyte: there is no such file, nor train-images-idx3-ubyte.gz/],
  ])('%s refuses %j', async (recipe, args, code, message) => {
    const outcome = await run(['train', '--recipe', recipe, '--data', reviews, '--out', join(folder, 'no'), ...args]);
    expect(outcome.err).toMatch(message);
    expect(outcome.code).toBe(code);
  });

  it('names the recipes for an unknown one', async () => {
    const outcome = await run(['train', '--recipe', 'mnist', '--data', digits, '--out', join(folder, 'no')]);
    expect(outcome.code).toBe(2);
    expect(outcome.err).toMatch(/kent-salem, mnist-rows, mnist-pixels, imdb-slim, imdb-lu/);
  });

  it('tells of a learning rate that follows the loss', async () => {
    const settings = ['--units', '2', '--epochs', '1', '--learning-rate', '1e-4', '--out', join(folder, 'following')];
    const { out } = await run(['train', '--recipe', 'mnist-rows', '--data', digits, ...settings]);
    expect(out).toContain('learning rate 0.001, from epoch 2 on 0.0001 exp(loss)');
    expect((await run(['train', '--help'])).out.replace(/\s+/g, ' ')).toContain('loss: 0.001 in the first epoch');
  });

  it('help shows the defaults of every recipe', async () => {
    const { out } = await run(['train', '--help']);
    const row = lines(out).find((line) => line.startsWith('  --learning-rate  '));
    expect(row?.trim().split(/ +/)).toEqual(['--learning-rate', '0.002', '0.001', '0.0001', '0.000012', '0.0001']);
  });
});

describe('a run whose files are not what they were', () => {
  it.each([
    ['run.json', '{"recipe":"mnist-rows"}', 1, /is not the record of a training run/],
    ['run.json', null, 1, /followed the recipe other, which this version of slim-lstm does not have/],
    ['pixels.json', '{"height":8,"width":8,"mean":[1],"deviation":[1]}', 1, /does not hold the mean and deviation/],
  ])('%s as %j', async (name, content, code, message) => {
    const out = join(folder, 'changed');
    const settings = ['--units', '2', '--epochs', '1', '--overwrite', '--json'];
    await run(['train', '--recipe', 'mnist-rows', '--data', digits, ...settings, '--out', out]);
    const path = join(out, name);
    const whole = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, content ?? JSON.stringify({ ...whole, recipe: 'other' }));
    const outcome = await run(['predict', out, '--images', join(digits, 't10k-images-idx3-ubyte.gz')]);
    expect(outcome.err).toMatch(message);
    expect(outcome.code).toBe(code);
  });
});
