import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import {
  DeviceError,
  InvalidArgumentError,
  InvalidDataError,
  InvalidModelError,
  layers,
  OutOfMemoryError,
  sequential,
  tokenizer,
} from '../../src/index.js';
import { STEPS, toyData, toyLayers, toyModel, weightBytes } from './toy.js';

const model = toyModel();
const { x, y } = toyData(30);
const before = weightBytes(model);

afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => {
  // Nothing above has touched the weights.
  expect(weightBytes(model).equals(before)).toBe(true);
  model.dispose();
});

const ids = (change: (data: Int32Array) => void) => {
  const data = x.data.slice();
  change(data);
  return { data, shape: x.shape };
};

async function refusal(job: Promise<unknown>, Class: new (...args: never[]) => Error): Promise<string> {
  const error = await job.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(Class);
  return error.message;
}

describe('data that cannot be', () => {
  test.each<[string, unknown, unknown, string | RegExp]>([
    [
      'a token id beyond the vocabulary',
      ids((data) => data.fill(40, 17 * STEPS + 3, 17 * STEPS + 4)),
      y,
      'token id 40 at row 17, position 3 of x is outside [0, 40)',
    ],
    [
      'a negative token id',
      ids((data) => data.fill(-1, 5, 6)),
      y,
      'token id -1 at row 0, position 5 of x is outside [0, 40)',
    ],
    [
      'a token id that is no integer',
      [[...Array(11).fill(0), 1.5]],
      [0],
      'Expected a 32-bit integer for x[0][11] but received 1.5 of type number',
    ],
    ['a token id of 2^32', [[...Array(11).fill(0), 2 ** 32]], [0], /^Expected a 32-bit integer for x\[0\]\[11\]/],
    [
      'a fractional id in a Float32Array',
      { data: new Float32Array(12).fill(0.5), shape: [1, 12] },
      [0],
      /x at row 0, position 0/,
    ],
    ['shorter sequences', [[1, 2, 3]], [0], 'Expected shape [N, 12] for x but received shape [1, 3]'],
    [
      'another rank',
      { data: x.data, shape: [30, 6, 2] },
      y,
      /^Expected shape \[N, 12\] for x but received shape \[30, 6, 2\]/,
    ],
    [
      'a shape that is not that of the data',
      { data: x.data, shape: [31, 12] },
      y,
      'Expected 372 numbers for x of shape [31, 12] but received 360',
    ],
    ['a negative shape', { data: x.data, shape: [-30, -12] }, y, /the shape of x but received \[-30,-12\]/],
    ['no rows', [], [], 'Expected one row or more for x but received none'],
    ['no rows in a tensor', { data: new Int32Array(0), shape: [0, 12] }, [], /^Expected one row or more for x/],
    ['ragged rows', [Array(12).fill(1), Array(11).fill(1)], [0, 0], 'Expected 12 entries for x[1] but received 11'],
    ['a row that is no array', [Array(12).fill(1), 3], [0, 0], /^Expected an array of 12 entries for x\[1\]/],
    [
      'a word among the numbers',
      [[...Array(11).fill(1), 'one']],
      [0],
      /^Expected a number for x\[0\]\[11\] but received "one"/,
    ],
    [
      'a null among the numbers',
      [[...Array(11).fill(1), null]],
      [0],
      /^Expected a number for x\[0\]\[11\] but received null/,
    ],
    ['a hole among the numbers', [Array(12)], [0], /^Expected a number for x\[0\]\[0\] but received undefined/],
    ['a class beyond the outputs', x, [...Array(29).fill(0), 2], 'class 2 at row 29 of y is outside [0, 2)'],
    ['a negative class', x, [-1, ...Array(29).fill(0)], 'class -1 at row 0 of y is outside [0, 2)'],
    ['fewer labels than rows', x, y.slice(1), 'Expected as many rows of y as of x but received 29 and 30'],
    [
      'labels one-hot with the sparse loss',
      x,
      { data: new Int32Array(60), shape: [30, 2] },
      /^Expected shape \[N\] for y/,
    ],
  ])('%s', async (_, inputs, targets, expected) => {
    for (const training of [
      () => model.fit(inputs as never, targets as never, { verbose: 0 }),
      () => model.fit(x, y, { verbose: 0, validationData: [inputs as never, targets as never] }),
    ]) {
      const message = await refusal(training(), InvalidDataError);
      const named = message.replaceAll('validationData[0]', 'x').replaceAll('validationData[1]', 'y');
      if (typeof expected === 'string') expect(named).toBe(expected);
      else expect(named).toMatch(expected);
    }
    await refusal(model.evaluate(inputs as never, targets as never), InvalidDataError);
    await refusal(model.gradients(inputs as never, targets as never), InvalidDataError);
  });

  test('what is no data at all', async () => {
    for (const value of [undefined, null, 7, 'text', {}, { data: [1], shape: [1] }, new Map()]) {
      await refusal(model.fit(value as never, y, { verbose: 0 }), InvalidArgumentError);
      await refusal(model.fit(x, value as never, { verbose: 0 }), InvalidArgumentError);
    }
  });

  test('a bad row far behind many good ones', async () => {
    const rows = 60_000;
    const data = new Int32Array(rows * STEPS);
    data[59_999 * STEPS + 11] = 99;
    const message = await refusal(model.predict({ data, shape: [rows, STEPS] }), InvalidDataError);
    expect(message).toBe('token id 99 at row 59999, position 11 of x is outside [0, 40)');
  });

  test('a buffer that is taken away while it is read', async () => {
    const rows = 60_000;
    const data = new Int32Array(rows * STEPS);
    const job = model.predict({ data, shape: [rows, STEPS] });
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(await refusal(job, InvalidDataError)).toMatch(/x to stay as it is/);
  });

  test('NaN and infinity, by row and column or row, step and column', async () => {
    using flat = sequential([layers.dense({ units: 1, activation: 'sigmoid' })], { inputShape: [3] });
    flat.compile({ optimizer: 'sgd', loss: 'binaryCrossentropy' });
    const rows = [
      [0, 1, 2],
      [3, Number.NaN, 5],
    ];
    expect(await refusal(flat.predict(rows), InvalidDataError)).toBe(
      'NaN at row 1, column 1 of x is not a finite number',
    );
    const good = [[0, 1, 2]];
    expect(await refusal(flat.fit(good, [2], { verbose: 0 }), InvalidDataError)).toBe(
      '2 at row 0 of y is outside [0, 1]',
    );
    expect(await refusal(flat.fit(good, [Number.NaN], { verbose: 0 }), InvalidDataError)).toBe(
      'NaN at row 0 of y is not a finite number',
    );
    using deep = sequential([layers.lstm({ units: 2 })], { inputShape: [4, 2] });
    const data = new Float32Array(16);
    data[8 + 3] = Number.NEGATIVE_INFINITY;
    expect(await refusal(deep.predict({ data, shape: [2, 4, 2] }), InvalidDataError)).toBe(
      '-Infinity at row 1, step 1, column 1 of x is not a finite number',
    );
  });
});

describe('options that cannot be', () => {
  test.each<[string, object, RegExp]>([
    [
      'a batch larger than the data',
      { batchSize: 31 },
      /at most 30, the number of training rows, for batchSize but received 31/,
    ],
    ['a batch larger than what validation leaves', { batchSize: 16, validationSplit: 0.5 }, /at most 15/],
    ['a batch of none', { batchSize: 0 }, /^Expected a positive integer for batchSize/],
    ['epochs below 0', { epochs: -1 }, /for epochs but received -1/],
    ['half an epoch', { epochs: 0.5 }, /for epochs/],
    ['validation of everything', { validationSplit: 1 }, /below 1 for validationSplit/],
    ['validation that leaves nothing', { validationSplit: 0.99 }, /leaves rows to train on/],
    ['two validations', { validationSplit: 0.1, validationData: [x, y] }, /received both/],
    ['validationData that is no pair', { validationData: x }, /^Expected an array \[x, y\] for validationData/],
    ['a callback that is none', { callbacks: [3] }, /^Expected an object with functions for callbacks\[0\]/],
    ['a misspelt callback', { callbacks: [{ onEpochend: () => {} }] }, /did you mean onEpochEnd\?/],
    ['callbacks that are no list', { callbacks: {} }, /^Expected an array for callbacks/],
    ['a signal that is none', { signal: { aborted: true } }, /^Expected an AbortSignal for signal/],
    ['a misspelt option', { batchsize: 8 }, /did you mean batchSize\?/],
    ['an unknown verbosity', { verbose: 2 }, /^Expected 0, 1 or 'auto' for verbose but received 2/],
    ['a shuffle that is no boolean', { shuffle: 'yes' }, /^Expected a boolean for shuffle/],
    ['a class that is none', { classWeight: { 2: 1 } }, /class ids in \[0, 2\) as keys of classWeight but received 2/],
    ['no steps', { stepsPerCall: 0 }, /for stepsPerCall/],
  ])('fit with %s', async (_, options, message) => {
    const job = model.fit(x, y, { verbose: 0, ...options } as never);
    expect(await refusal(job, InvalidArgumentError)).toMatch(message);
  });

  test('other jobs', async () => {
    expect(await refusal(model.evaluate(x, y, { batch: 3 } as never), InvalidArgumentError)).toMatch(/batchSize/);
    expect(await refusal(model.predict(x, { batchSize: -1 }), InvalidArgumentError)).toMatch(/batchSize/);
    expect(await refusal(model.gradients(x, y, { input: true }), InvalidArgumentError)).toMatch(/token ids/);
    expect(await refusal(model.gradients(x, y, { training: 1 } as never), InvalidArgumentError)).toMatch(/training/);
  });

  test('a model that was not compiled', async () => {
    using fresh = sequential(toyLayers(), { inputShape: [STEPS] });
    expect(await refusal(fresh.fit(x, y), InvalidArgumentError)).toMatch(/call compile/);
    await refusal(fresh.evaluate(x, y), InvalidArgumentError);
    await refusal(fresh.gradients(x, y), InvalidArgumentError);
    expect(() => fresh.learningRate).toThrow(InvalidArgumentError);
    expect((await fresh.predict(x)).shape).toEqual([30, 2]);
  });

  test.each<[string, unknown, unknown, RegExp]>([
    ['no layers', [], {}, /^Expected an array of one layer or more/],
    [
      'a layer that is none',
      [{ kind: 'dense' }],
      { inputShape: [3] },
      /^Expected a layer made by a function of layers for layers\[0\]/,
    ],
    ['no input shape', [layers.dense({ units: 1 })], {}, /for inputShape but received undefined/],
    [
      'an input shape with the batch',
      [layers.lstm({ units: 1 })],
      { inputShape: [8, 3, 2] },
      /the batch is not part of it/,
    ],
    ['an input shape of 0', [layers.lstm({ units: 1 })], { inputShape: [0, 2] }, /inputShape\[0\] but received 0/],
    ['a misspelt option', [layers.dense({ units: 1 })], { inputshape: [3] }, /did you mean inputShape\?/],
    ['threads below 1', [layers.dense({ units: 1 })], { inputShape: [3], threads: 0 }, /for threads/],
    ['a seed that is no integer', [layers.dense({ units: 1 })], { inputShape: [3], seed: 0.5 }, /for seed/],
    ['an unknown device', [layers.dense({ units: 1 })], { inputShape: [3], device: 'gpu' }, /did you mean cpu\?/],
    [
      'an unknown precision',
      [layers.dense({ units: 1 })],
      { inputShape: [3], precision: 'tf23' },
      /did you mean tf32\?/,
    ],
    [
      'a number for a precision',
      [layers.dense({ units: 1 })],
      { inputShape: [3], precision: 32 },
      /one of float32, tf32/,
    ],
    ['null for a precision', [layers.dense({ units: 1 })], { inputShape: [3], precision: null }, /received null/],
  ])('sequential with %s', (_, stack, options, message) => {
    const make = () => sequential(stack as never, options as never);
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
  });

  test('a device that cannot be used says why and what to do', () => {
    vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', '/no/such/library.so');
    for (const device of ['cuda', 'cuda:1']) {
      const make = () => sequential([layers.dense({ units: 1 })], { inputShape: [3], device });
      expect(make).toThrow(DeviceError);
      expect(make).toThrow(/Cannot use device cuda.*CUDA.*use device 'cpu'/);
    }
  });

  test('compile', () => {
    using fresh = sequential([layers.lstm({ units: 3, returnSequences: true })], { inputShape: [4, 2] });
    const compile = (options: unknown) => () => fresh.compile(options as never);
    expect(compile({ optimizer: 'sgd', loss: 'meanSquaredError' })).toThrow(InvalidModelError);
    expect(compile({ optimizer: 'sgd', loss: 'mse' })).toThrow(InvalidArgumentError);
    expect(compile({ loss: 'meanSquaredError' })).toThrow(/for optimizer but received undefined/);
    expect(compile({ optimiser: 'sgd' })).toThrow(/did you mean optimizer\?/);
    expect(compile(undefined)).toThrow(InvalidArgumentError);
  });

  test('weights: all or none', () => {
    using fresh = toyModel();
    const untouched = weightBytes(fresh);
    const set = (weights: unknown) => () => fresh.setWeights(weights as never);
    const kernel = new Float32Array(32);
    expect(set({ 'dense/kernal': [1] })).toThrow(/did you mean dense\/kernel\?/);
    expect(set({ 'dense/kernel': { data: kernel, shape: [2, 16] } })).toThrow(/shape \[16, 2\] for dense\/kernel/);
    expect(set({ 'dense/bias': [1, 2], 'dense/kernel': [1, 2] })).toThrow(InvalidArgumentError);
    expect(set([1])).toThrow(/^Expected an object of arrays/);
    expect(weightBytes(fresh).equals(untouched)).toBe(true);
    fresh.setWeights({ 'dense/bias': [1, 2] });
    expect(fresh.weights()['dense/bias']?.data).toEqual(new Float32Array([1, 2]));
  });
});

describe('memory that cannot be had', () => {
  test('for the weights', () => {
    const make = () => sequential([layers.dense({ units: 2 ** 22 })], { inputShape: [2 ** 22] });
    expect(make).toThrow(OutOfMemoryError);
    expect(make).toThrow(/\d/);
  });

  test('for a step; the model stays usable', async () => {
    const steps = 2 ** 21;
    using wide = sequential(
      [layers.embedding({ inputDim: 2, outputDim: 1 }), layers.lstm({ units: 512, returnSequences: true })],
      {
        inputShape: [steps],
        seed: 1,
      },
    );
    const data = new Int32Array(8 * steps);
    await refusal(wide.predict({ data, shape: [8, steps] }, { batchSize: 8 }), OutOfMemoryError);
    expect(Object.keys(wide.weights())).toContain('lstm/kernel');
  });
});

describe('raw text', () => {
  const words = tokenizer({ numWords: 40 });
  words.fitOnTexts(['the cat sat on the mat', 'the dog ate my homework']);

  test('without a tokenizer', async () => {
    expect(await refusal(model.predict(['the cat']), InvalidArgumentError)).toMatch(/set model\.text/);
    using reader = sequential([layers.dense({ units: 1 })], { inputShape: [2], device: 'cpu' });
    expect(await refusal(reader.predict(['the cat']), InvalidArgumentError)).toMatch(/has no embedding/);
  });

  test('an empty document, and what is no text', async () => {
    using reader = toyModel();
    reader.text = { tokenizer: words, classNames: ['no', 'yes'] };
    expect(await refusal(reader.predict(['the cat', ' \n']), InvalidDataError)).toMatch(/texts\[1\] but it is empty/);
    expect(await refusal(reader.predict(['a', 3 as never]), InvalidDataError)).toMatch(/texts\[1\]/);
    const { data } = await reader.predict(['the cat', 'words nobody knows']);
    expect(data).toHaveLength(4);
    const padded = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...(words.textsToSequences(['the cat'])[0] ?? [])];
    expect((await reader.predict([padded])).data).toEqual(data.slice(0, 2));
  });

  test('a pipeline that does not fit the model', () => {
    using reader = toyModel();
    const set = (value: unknown) => () => {
      reader.text = value as never;
    };
    expect(set({ tokenizer: words, classNames: ['one'] })).toThrow(/2 names for classNames but received 1/);
    expect(set({ tokenizer: {} })).toThrow(/^Expected a tokenizer/);
    expect(set({ tokenizer: words, maxLength: 3 })).toThrow(/^Unknown option maxLength/);
    const large = tokenizer({ numWords: 1000 });
    large.fitOnTexts([Array.from({ length: 50 }, (_, i) => `w${i}`).join(' ')]);
    expect(set({ tokenizer: large })).toThrow(/ids below 40.*up to 50.*numWords: 40/);
    using numeric = sequential([layers.dense({ units: 2 })], { inputShape: [2] });
    expect(() => {
      numeric.text = { tokenizer: words };
    }).toThrow(/embedding/);
  });
});
