import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  callbacks,
  defineVariant,
  FileAccessError,
  InvalidFileError,
  layers,
  loadModel,
  optimizers,
  sequential,
  tokenizer,
} from '../../src/index.js';
import { previousFolder } from '../../src/model/checkpoint/replace-folder.js';
import { safetensorsBytes } from '../../src/model/checkpoint/safetensors.js';
import { temporaryFolder } from '../temporary-folder.js';
import { STEPS, toyData, toyModel, VOCABULARY, weightBytes } from './toy.js';

const root = temporaryFolder();
const { x, y } = toyData(120);

describe('save and load', () => {
  test('give the same predictions, bit by bit', async () => {
    const path = join(root, 'predictions');
    using model = toyModel();
    await model.fit(x, y, { epochs: 2, verbose: 0 });
    const expected = await model.predict(x);
    await model.save(path);
    expect(readdirSync(path).sort()).toEqual(['model.json', 'optimizer.safetensors', 'weights.safetensors']);
    using again = await loadModel(path);
    expect(weightBytes(again).equals(weightBytes(model))).toBe(true);
    expect((await again.predict(x)).data).toEqual(expected.data);
    expect(await again.evaluate(x, y)).toEqual(await model.evaluate(x, y));
    expect(again.seed).toBe(model.seed);
    expect(again.summary({ print: () => {} })).toBe(
      model.summary({ print: () => {} }).replace('1 thread)', again.device.slice(again.device.indexOf(', ') + 2)),
    );
  });

  test.each([
    ['adam', optimizers.adam({ learningRate: 0.01, amsgrad: true })],
    ['rmsprop', optimizers.rmsprop({ momentum: 0.5, centered: true })],
    ['sgd without state', optimizers.sgd()],
  ])('training goes on bit by bit, with %s', async (name, optimizer) => {
    const path = join(root, `resume ${name}`);
    const options = { batchSize: 16, verbose: 0 } as const;
    const compile = { optimizer, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] } as const;
    using straight = toyModel();
    straight.compile(compile);
    await straight.fit(x, y, { ...options, epochs: 4 });
    using first = toyModel();
    first.compile(compile);
    await first.fit(x, y, { ...options, epochs: 2 });
    await first.save(path);
    using second = await loadModel(path, { threads: 2 });
    await second.fit(x, y, { ...options, initialEpoch: 2, epochs: 4 });
    expect(weightBytes(second).equals(weightBytes(straight))).toBe(true);
  });

  test('keep the precision, which another may replace', async () => {
    const path = join(root, 'precision');
    using model = toyModel({ precision: 'bfloat16' });
    await model.save(path);
    for (const options of [undefined, { threads: 1 }]) {
      using same = await loadModel(path, options);
      expect(same.precision).toBe('bfloat16');
    }
    using other = await loadModel(path, { precision: 'tf32' });
    expect(other.precision).toBe('tf32');
    await expect(loadModel(path, { precision: 'bfloat' as 'bfloat16' })).rejects.toThrow(/did you mean bfloat16\?/);
  });

  test("keep every kind of layer, a variant of one's own, class names and the learning rate", async () => {
    const path = join(root, 'kinds');
    const variant = defineVariant({
      name: 'mine',
      input: { constant: 1 },
      forget: { recurrent: 'diagonal', bias: true },
      candidate: { input: true, recurrent: 'full', bias: true },
      output: { recurrent: 'full' },
    });
    using model = sequential(
      [
        layers.embedding({ inputDim: VOCABULARY, outputDim: 6, trainable: false, name: 'words' }),
        layers.spatialDropout1d({ rate: 0.1 }),
        layers.conv1d({ filters: 5, kernelSize: 3, padding: 'causal', activation: 'relu' }),
        layers.maxPooling1d(),
        layers.dropout({ rate: 0.2 }),
        layers.lstm({ units: 4, variant, returnSequences: true, goBackwards: true }),
        layers.bidirectional(layers.lstm({ units: 3, variant: 'LSTM6', returnSequences: true }), { mergeMode: 'mul' }),
        layers.dense({ units: 4, useBias: false }),
        layers.activation('tanh'),
        layers.flatten(),
        layers.dense({ units: 2, activation: 'softmax' }),
      ],
      { inputShape: [STEPS], seed: 5 },
    );
    model.compile({ optimizer: optimizers.sgd(), loss: 'sparseCategoricalCrossentropy', metrics: [{ topK: 2 }] });
    model.learningRate = 0.125;
    await model.save(path);
    using again = await loadModel(path);
    expect(again.layers.map(({ kind, config }) => [kind, config])).toEqual(
      model.layers.map(({ kind, config }) => [kind, config]),
    );
    expect(again.learningRate).toBe(0.125);
    expect((await again.predict(x)).data).toEqual((await model.predict(x)).data);
    expect(Object.keys(await again.evaluate(x, y))).toEqual(['loss', 'topKCategoricalAccuracy']);
  });

  test('a model that was not compiled, and one with raw text', async () => {
    const path = join(root, 'text');
    const words = tokenizer({ numWords: 30 });
    words.fitOnTexts(['the cat sat on the mat', 'the dog ate my homework']);
    using model = sequential([layers.embedding({ inputDim: 30, outputDim: 3 }), layers.lstm({ units: 2 })], {
      inputShape: [6],
    });
    model.text = { tokenizer: words, padding: 'post', classNames: ['no', 'yes'] };
    await model.save(path);
    expect(readdirSync(path).sort()).toEqual(['model.json', 'vocabulary.json', 'weights.safetensors']);
    using again = await loadModel(path);
    expect(again.text).toMatchObject({ padding: 'post', truncating: 'pre', classNames: ['no', 'yes'] });
    const texts = ['the dog sat', 'my mat'];
    expect((await again.predict(texts)).data).toEqual((await model.predict(texts)).data);
    await expect(again.evaluate([[0, 0, 0, 0, 0, 0]], [0])).rejects.toThrow(/call compile/);
  });

  test('replace a model that was there; modelCheckpoint keeps the best', async () => {
    const path = join(root, 'best');
    using model = toyModel();
    await model.save(path);
    const history = await model.fit(x, y, {
      epochs: 4,
      validationSplit: 0.25,
      verbose: 0,
      callbacks: [callbacks.modelCheckpoint(path, { saveBestOnly: true })],
    });
    using again = await loadModel(path);
    const held = { data: x.data.slice(90 * STEPS), shape: [30, STEPS] };
    const { loss } = await again.evaluate(held, y.slice(90));
    expect(loss).toBeCloseTo(Math.min(...(history.history.val_loss ?? [])), 6);
  });

  test('after a save that was cut short at its last step, the model before is loaded', async () => {
    const path = join(root, 'crash');
    using model = toyModel();
    await model.save(path);
    renameSync(path, previousFolder(path));
    using again = await loadModel(path);
    expect(weightBytes(again).equals(weightBytes(model))).toBe(true);
  });

  test('a snapshot is of the moment save was called', async () => {
    const path = join(root, 'moment');
    using model = toyModel();
    const before = weightBytes(model);
    const saving = model.save(path);
    model.setWeights({ 'dense/bias': [5, 5] });
    await saving;
    using again = await loadModel(path);
    expect(weightBytes(again).equals(before)).toBe(true);
  });
});

describe('folders that are no model of this package', () => {
  /** A saved model with one file changed. */
  async function damaged(name: string, change: (folder: string) => void): Promise<string> {
    const whole = join(root, 'whole');
    if (!readdirSync(root).includes('whole')) {
      using model = toyModel();
      const words = tokenizer({ numWords: 40 });
      words.fitOnTexts(['the cat sat on the mat']);
      model.text = { tokenizer: words };
      await model.save(whole);
    }
    const path = join(root, `damaged ${name}`);
    cpSync(whole, path, { recursive: true });
    change(path);
    return path;
  }

  const rewritten = (file: string, from: string, to: string) => (folder: string) => {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  };
  const cut = (file: string, bytes: number) => (folder: string) => {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path).subarray(0, -bytes));
  };
  const replaced =
    (file: string, names: Record<string, number[]>, metadata = {}) =>
    (folder: string) => {
      const tensors = Object.entries(names).map(([name, shape]) => {
        const size = shape.reduce((product, extent) => product * extent, 1);
        return [name, { data: new Float32Array(size), shape }] as const;
      });
      writeFileSync(join(folder, file), Buffer.concat(safetensorsBytes(new Map(tensors), metadata)));
    };

  test.each<[string, (folder: string) => void, string]>([
    ['cut weights', cut('weights.safetensors', 4), 'ERR_SAFETENSORS_OFFSET_BOUNDS'],
    ['cut optimizer', cut('optimizer.safetensors', 4), 'ERR_SAFETENSORS_OFFSET_BOUNDS'],
    ['cut description', cut('model.json', 10), 'ERR_MODEL_FILE_JSON'],
    ['cut vocabulary', cut('vocabulary.json', 10), 'ERR_TOKENIZER_JSON'],
    ['another number of units', rewritten('model.json', '"units": 8', '"units": 9'), 'ERR_MODEL_WEIGHTS'],
    [
      'an enormous network with small weights',
      rewritten('model.json', '"units": 8', '"units": 20000000'),
      'ERR_MODEL_WEIGHTS',
    ],
    [
      'an enormous vocabulary',
      rewritten('model.json', '"inputDim": 40', '"inputDim": 2147483647'),
      'ERR_MODEL_WEIGHTS',
    ],
    ['another layer name', rewritten('model.json', '"name": "dense"', '"name": "dents"'), 'ERR_MODEL_WEIGHTS'],
    ['an array too many', replaced('weights.safetensors', { a: [1] }), 'ERR_MODEL_WEIGHTS'],
    ['the state of another optimizer', rewritten('model.json', '"kind": "adam"', '"kind": "adamw"'), 'none'],
    ['the state of a smaller optimizer', replaced('optimizer.safetensors', { state: [3] }), 'ERR_MODEL_OPTIMIZER'],
    ['other arrays in the optimizer', replaced('optimizer.safetensors', { other: [3] }), 'ERR_MODEL_OPTIMIZER'],
    ['an unknown activation', rewritten('model.json', '"softmax"', '"softmix"'), 'ERR_MODEL_FILE_LAYER'],
    ['words without counts', rewritten('vocabulary.json', '"counts":[2,', '"counts":['), 'ERR_TOKENIZER_COUNTS'],
  ])('%s', async (name, change, code) => {
    const loading = loadModel(await damaged(name, change));
    if (code === 'none') {
      // Adam and AdamW keep the same state, so this is a valid model.
      (await loading).dispose();
      return;
    }
    await expect(loading).rejects.toBeInstanceOf(InvalidFileError);
    await expect(loading).rejects.toMatchObject({ code });
  });

  test.each(['model.json', 'weights.safetensors', 'optimizer.safetensors', 'vocabulary.json'])(
    'without %s',
    async (file) => {
      const path = await damaged(`missing ${file}`, (folder) => rmSync(join(folder, file)));
      await expect(loadModel(path)).rejects.toThrow(FileAccessError);
      await expect(loadModel(path)).rejects.toThrow(new RegExp(`${file}: there is no such file or folder`));
    },
  );

  test('no folder at all', async () => {
    await expect(loadModel(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_FILE_ACCESS' });
    await expect(loadModel('')).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    await expect(loadModel(root, { seed: 3 } as never)).rejects.toThrow(/^Unknown option seed/);
  });
});

/** A disk of 64 KiB, or null where this process may not mount one. */
function smallDisk(): { readonly path: string; unmount(): void } | null {
  const path = join(root, 'disk');
  try {
    execFileSync('mkdir', ['-p', path]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' });
    return { path, unmount: () => void execFileSync('umount', [path]) };
  } catch {
    return null;
  }
}

describe('a disk that is full', () => {
  test('leaves the model that was there (needs the right to mount a small disk)', async (context) => {
    const disk = smallDisk();
    if (disk === null) return context.skip('this process may not mount');
    try {
      const path = join(disk.path, 'model');
      using small = toyModel();
      await small.save(path);
      using large = sequential([layers.embedding({ inputDim: 5000, outputDim: 8 })], { inputShape: [3] });
      const failure = large.save(path);
      await expect(failure).rejects.toThrow(FileAccessError);
      await expect(failure).rejects.toThrow(/the disk is full; what was there is as before/);
      expect(readdirSync(disk.path)).toEqual(['model']);
      using again = await loadModel(path);
      expect(weightBytes(again).equals(weightBytes(small))).toBe(true);
    } finally {
      disk.unmount();
    }
  });
});
