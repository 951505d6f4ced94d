import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { DeviceError, InvalidArgumentError, InvalidModelError, OutOfMemoryError } from '../src/errors.js';
import { loadNative } from '../src/load-native.js';
import type { NativeModelSpec } from '../src/native.js';
import { compiledModel, dense, rowData, rowModel, sparseTraining, tokenModel } from './native-models.js';

const native = loadNative();

describe('bad input', () => {
  const options = { device: 'cpu', threads: 1, precision: 'float32', seed: 0 } as const;

  it('is refused by name, with what was expected and what came, on the stack of the caller', () => {
    const spec = rowModel();
    function theCaller() {
      native.createModel({ ...spec, layers: [{ ...dense('d', 2, 2, 'relu'), units: 0 }] } as never, options);
    }
    expect(theCaller).toThrow(InvalidArgumentError);
    expect(theCaller).toThrow('Expected a positive integer for units but received 0 of type number');
    try {
      theCaller();
    } catch (error) {
      expect((error as Error).stack).toContain('theCaller');
      expect((error as Error).stack?.split('\n')[1]).toContain('theCaller');
    }
  });

  it('of a promise is rejected on the stack of the caller', async () => {
    const net = compiledModel(rowModel());
    async function theCaller() {
      await net.predict({ data: rowData(4), begin: 0, end: 5, batchSize: 2 });
    }
    await expect(theCaller()).rejects.toThrow(InvalidArgumentError);
    const error = await theCaller().catch((e: unknown) => e as Error);
    expect(error?.stack).toContain('theCaller');
  });

  it('as a specification never crashes: every value replaced by garbage', () => {
    const garbage: unknown[] = [
      undefined,
      null,
      true,
      -1,
      0.5,
      Number.NaN,
      1e300,
      2 ** 53,
      '',
      'x'.repeat(100_000),
      Symbol('s'),
      10n,
      [],
      {},
      () => 1,
      new Proxy([], {}),
      new Array(2 ** 31),
    ];
    const replaceEach = (value: unknown, use: (changed: unknown) => void): void => {
      for (const item of garbage) use(item);
      if (typeof value !== 'object' || value === null) return;
      for (const key of Object.keys(value)) {
        replaceEach((value as Record<string, unknown>)[key], (changed) => {
          use(Array.isArray(value) ? Object.assign([...value], { [key]: changed }) : { ...value, [key]: changed });
        });
      }
    };
    let refused = 0;
    let taken = 0;
    for (const spec of [tokenModel(), rowModel()]) {
      replaceEach(spec, (changed) => {
        try {
          native.createModel(changed as NativeModelSpec, options).dispose();
          taken++;
        } catch (error) {
          expect([InvalidArgumentError, InvalidModelError, OutOfMemoryError]).toContain((error as Error).constructor);
          refused++;
        }
      });
    }
    expect(refused).toBeGreaterThan(500);
    expect(taken).toBeGreaterThan(10);
  });

  it('thrown by a getter comes back as it is', () => {
    const failure = new Error('of the getter');
    const spec = {
      ...rowModel(),
      get layers(): never {
        throw failure;
      },
    };
    expect(() => native.createModel(spec, options)).toThrow(failure);
  });

  it('as a device, a seed, a number of threads or a precision is refused', () => {
    expect(() => native.createModel(rowModel(), { ...options, device: 'gpu' })).toThrow(DeviceError);
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => native.createModel(rowModel(), { ...options, seed })).toThrow(InvalidArgumentError);
    }
    expect(() => native.createModel(rowModel(), { ...options, threads: 5000 })).toThrow(InvalidArgumentError);
    expect(() => native.createModel(rowModel(), { ...options, precision: 'float16' as never })).toThrow(
      'Expected one of float32, tf32, bfloat16 for precision but received "float16" of type string',
    );
  });

  it('as weights that cannot be held is refused with the bytes, at once', () => {
    const spec = {
      tokenInput: false,
      inputShape: [2 ** 20],
      layers: [dense('dense', 2 ** 20, 2 ** 20, 'linear')],
    };
    expect(() => native.createModel(spec, options)).toThrow(OutOfMemoryError);
    expect(() => native.createModel(spec, options)).toThrow(/4398050705408 bytes/);
  });

  it('as activations that cannot be held rejects the run and leaves the model', async () => {
    const steps = 2 ** 21;
    const net = native.createModel(
      { tokenInput: false, inputShape: [steps, 1], layers: [dense('dense', 1, 2 ** 20, 'linear')] },
      options,
    );
    const data = native.createDataset({ rows: 1, inputWidth: steps, vocabulary: 0, targetWidth: 0, classes: 0 });
    data.appendInputs(new Float32Array(steps));
    await expect(net.predict({ data, begin: 0, end: 1, batchSize: 1 })).rejects.toThrow(OutOfMemoryError);
    expect(net.parameters().length).toBe(2);
  });

  it('in a data set is found: the index of the first bad element, and nothing is appended', () => {
    const tokens = native.createDataset({ rows: 2000, inputWidth: 3, vocabulary: 10, targetWidth: 1, classes: 4 });
    const values = new Int32Array(6000).fill(9);
    for (const [place, bad] of [
      [0, 10],
      [1500, -1],
      [5999, 2 ** 31 - 1],
    ] as const) {
      const changed = values.slice();
      changed[place] = bad;
      expect(tokens.appendInputs(changed)).toBe(place);
    }
    expect(tokens.appendInputs(values)).toBe(-1);
    expect(() => tokens.appendInputs(new Int32Array(3))).toThrow('at most 0 whole rows');
    expect(tokens.appendTargets(Int32Array.of(0, 3, 4))).toBe(2);
    const numbers = native.createDataset({ rows: 2000, inputWidth: 3, vocabulary: 0, targetWidth: 2, classes: 0 });
    const floats = new Float32Array(6000).fill(-3e38);
    for (const [place, bad] of [
      [2047, Number.NaN],
      [4, Number.POSITIVE_INFINITY],
      [5998, Number.NEGATIVE_INFINITY],
    ] as const) {
      const changed = floats.slice();
      changed[place] = bad;
      expect(numbers.appendInputs(changed)).toBe(place);
    }
    expect(numbers.appendInputs(floats)).toBe(-1);
    expect(() => numbers.appendTargets(new Float32Array(3))).toThrow('whole rows of 2');
    expect(() => numbers.appendTargets(new Int32Array(2))).toThrow('Float32Array');
    expect(() => numbers.appendTargets([1, 2] as never)).toThrow(InvalidArgumentError);
  });

  it('in a data set is found even where another thread could change it meanwhile', () => {
    const shared = new Int32Array(new SharedArrayBuffer(24)).fill(3);
    const data = native.createDataset({ rows: 2, inputWidth: 3, vocabulary: 4, targetWidth: 0, classes: 0 });
    expect(data.appendInputs(shared)).toBe(-1);
    expect(() => data.appendTargets(new Float32Array(1))).toThrow('Expected no targets');
  });

  it('as a data set that does not fit the model is refused', async () => {
    const net = compiledModel(tokenModel());
    const rows = { begin: 0, end: 4, batchSize: 2 };
    await expect(net.predict({ ...rows, data: rowData(4) })).rejects.toThrow('12 elements');
    const wider = native.createDataset({ rows: 4, inputWidth: 12, vocabulary: 11, targetWidth: 1, classes: 3 });
    wider.appendInputs(new Int32Array(48));
    await expect(net.predict({ ...rows, data: wider })).rejects.toThrow('ids below 10');
    const classes = native.createDataset({ rows: 4, inputWidth: 12, vocabulary: 10, targetWidth: 1, classes: 4 });
    classes.appendInputs(new Int32Array(48));
    await expect(net.evaluate({ ...rows, data: classes }, null)).rejects.toThrow('class ids below 3');
    const half = native.createDataset({ rows: 4, inputWidth: 12, vocabulary: 10, targetWidth: 1, classes: 3 });
    half.appendInputs(new Int32Array(48));
    half.appendTargets(new Int32Array(2));
    await expect(net.evaluate({ ...rows, data: half }, null)).rejects.toThrow('within the 2 of the data set');
    for (const other of [undefined, null, {}, net, 7]) {
      await expect(net.predict({ ...rows, data: other as never })).rejects.toThrow(InvalidArgumentError);
    }
  });

  it('as a job is refused', async () => {
    const net = compiledModel(rowModel());
    const job = {
      data: rowData(8),
      begin: 0,
      end: 8,
      batchSize: 4,
      epoch: 0,
      shuffle: true,
      learningRate: 0.1,
      firstStep: 0,
      maxSteps: 0,
    };
    const wrong: Record<string, unknown>[] = [
      { batchSize: 0 },
      { begin: 8 },
      { end: 9 },
      { begin: -1 },
      { epoch: 0.5 },
      { learningRate: Number.NaN },
      { learningRate: -1 },
      { firstStep: 3 },
      { classWeights: new Float32Array(3) },
      { classWeights: Float32Array.of(1, Number.NaN) },
      { classWeights: [1, 2] },
      { shuffle: 1 },
    ];
    for (const change of wrong) {
      await expect(net.train({ ...job, ...change } as never, null)).rejects.toThrow(InvalidArgumentError);
    }
    await expect(net.train(job, 5 as never)).rejects.toThrow('Expected a function or null for onProgress');
    expect((await net.train({ ...job, classWeights: Float32Array.of(1, 0) }, null)).steps).toBe(2);
    const fresh = native.createModel(rowModel(), options);
    await expect(fresh.train(job, null)).rejects.toThrow('Expected compile()');
  });

  it('as weights or optimizer state out of range is refused', () => {
    const net = compiledModel(rowModel());
    const { length } = net.readParameters();
    expect(() => net.writeParameters(length - 1, new Float32Array(2))).toThrow(InvalidArgumentError);
    expect(() => net.writeParameters(-1, new Float32Array(2))).toThrow(InvalidArgumentError);
    expect(() => net.writeParameters(0, new Int32Array(2) as never)).toThrow(InvalidArgumentError);
    expect(() => net.writeParameters(0, new Float32Array(length).fill(1))).toThrow('zeros between the arrays');
    expect(() => net.writeOptimizer(0, new Float32Array(3))).toThrow(InvalidArgumentError);
    expect(() => net.compile({ ...sparseTraining, topK: 3 })).toThrow(InvalidArgumentError);
    expect(() => net.compile({ ...sparseTraining, loss: 'hinge' as never })).toThrow('one of sparseCategorical');
  });
});

describe('the addon without its wrapping', () => {
  const raw = createRequire(import.meta.url)('node-gyp-build')(fileURLToPath(new URL('..', import.meta.url)));
  const makeData = () => raw.createDataset({ rows: 1, inputWidth: 2, vocabulary: 0, targetWidth: 0, classes: 0 });

  it('takes only its own objects for a model or a data set', () => {
    const net = raw.createModel(rowModel(), { device: 'cpu', threads: 1, precision: 'float32', seed: 0 });
    const data = makeData();
    data.appendInputs(Float32Array.of(1, 2));
    const rows = { begin: 0, end: 1, batchSize: 1 };
    for (const other of [net, raw, Object.create(data), new Proxy(data, {}), new Uint8Array(8), () => data]) {
      expect(() => net.predict({ ...rows, data: other })).toThrow('Expected a data set of createDataset() for data');
      expect(() => data.appendInputs.call(other, Float32Array.of(1, 2))).toThrow();
      if (other !== net) expect(() => net.readParameters.call(other)).toThrow();
    }
    expect(() => new net.constructor()).toThrow('Expected createModel()');
    expect(() => new data.constructor({})).toThrow('Expected createDataset()');
    expect(() => net.train.call(data, {}, null)).toThrow();
  });

  it('ends a run whose listener throws, whatever it throws', async () => {
    const net = raw.createModel(rowModel(), { device: 'cpu', threads: 1, precision: 'float32', seed: 0 });
    net.compile(sparseTraining);
    const rows = 200_000;
    const data = raw.createDataset({ rows, inputWidth: 2, vocabulary: 0, targetWidth: 1, classes: 2 });
    data.appendInputs(new Float32Array(rows * 2));
    data.appendTargets(new Int32Array(rows));
    for (const thrown of [null, undefined, 7, new Error('x')]) {
      await expect(
        net.evaluate({ data, begin: 0, end: rows, batchSize: 1 }, () => {
          throw thrown;
        }),
      ).rejects.toThrow('listener');
    }
  });

  it('is not harmed by arguments left out, nor by a getter that disposes of what is being used', async () => {
    for (const make of [raw.cpu, raw.createModel, raw.createDataset, raw.dropoutMask]) {
      try {
        make();
      } catch (error) {
        expect((error as { code?: string }).code).toBe('ERR_INVALID_ARGUMENT');
      }
    }
    const net = raw.createModel(rowModel(), { device: 'cpu', threads: 1, precision: 'float32', seed: 0 });
    const data = makeData();
    data.appendInputs(Float32Array.of(1, 2));
    const job = {
      data,
      begin: 0,
      end: 1,
      get batchSize() {
        net.dispose();
        data.dispose();
        return 1;
      },
    };
    expect(() => net.predict(job)).toThrow('disposed of');
    for (const name of ['train', 'evaluate', 'predict', 'gradients', 'compile', 'writeParameters', 'readOptimizer']) {
      expect(() => net[name]()).toThrow();
    }
  });

  it('lets go of models that nobody holds, even those that are running', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    for (let i = 0; i < 30; i++) {
      const net = raw.createModel(rowModel(), { device: 'cpu', threads: 2, precision: 'float32', seed: 0 });
      net.compile(sparseTraining);
      const data = raw.createDataset({ rows: 2000, inputWidth: 2, vocabulary: 0, targetWidth: 1, classes: 2 });
      data.appendInputs(new Float32Array(4000));
      data.appendTargets(new Int32Array(2000));
      const run = net.evaluate({ data, begin: 0, end: 2000, batchSize: 1 }, null);
      gc();
      if (i % 10 === 9) expect((await run).steps).toBe(2000);
      await delay(0);
    }
  });
});
