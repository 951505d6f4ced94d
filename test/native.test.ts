import { once } from 'node:events';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import {
  BusyError,
  DeviceError,
  DisposedError,
  InvalidArgumentError,
  InvalidModelError,
  OutOfMemoryError,
} from '../src/errors.js';
import { loadNative, type NativeModel, type NativeModelSpec, type NativeProgress } from '../src/native.js';
import { dense, rowData, rowModel, sparseTraining, tokenData, tokenModel } from './native-models.js';

const native = loadNative();

function model(spec: NativeModelSpec, threads = 1, seed = 3): NativeModel {
  const made = native.createModel(spec, { device: 'cpu', threads, seed });
  made.compile(sparseTraining);
  return made;
}

async function trainEpochs(net: NativeModel, data: ReturnType<typeof rowData>, rows: number, epochs: number) {
  let last: Awaited<ReturnType<NativeModel['train']>> | undefined;
  for (let epoch = 0; epoch < epochs; epoch++) {
    last = await net.train(
      { data, begin: 0, end: rows, batchSize: 16, epoch, shuffle: true, learningRate: 0.02, firstStep: 0, maxSteps: 0 },
      null,
    );
  }
  return last;
}

describe('a model', () => {
  it('lists its parameters in the order of the layers with places in one buffer', () => {
    const net = model(tokenModel());
    const parameters = net.parameters();
    expect(parameters.map((p) => p.name)).toEqual([
      'embedding/embeddings',
      'lstm/kernel',
      'lstm/recurrent_kernel',
      'lstm/bias',
      'dense/kernel',
      'dense/bias',
    ]);
    const length = net.readParameters().length;
    for (const { offset, size, shape } of parameters) {
      expect(size).toBe(shape.reduce((a, b) => a * b));
      expect(offset % 16).toBe(0);
      expect(offset + size).toBeLessThanOrEqual(length);
    }
  });

  it('gives back the weights it was given, and its own are those of the seed', () => {
    const net = model(rowModel());
    const weights = net.readParameters();
    expect(model(rowModel()).readParameters()).toEqual(weights);
    expect(model(rowModel(), 1, 4).readParameters()).not.toEqual(weights);
    const [kernel] = net.parameters();
    const values = Float32Array.from({ length: kernel?.size ?? 0 }, (_, i) => i);
    net.writeParameters(kernel?.offset ?? 0, values);
    expect(net.readParameters().slice(kernel?.offset, (kernel?.offset ?? 0) + values.length)).toEqual(values);
  });

  it('learns points and sequences, and evaluate agrees with predict', async () => {
    for (const [spec, data, epochs] of [
      [rowModel(), rowData(200), 20],
      [tokenModel(), tokenData(200), 40],
    ] as const) {
      const net = model(spec);
      const run = await trainEpochs(net, data, 200, epochs);
      expect(run?.steps).toBe(13);
      expect(run?.samples).toBe(200);
      const rows = { data, begin: 0, end: 200, batchSize: 64 };
      const { accuracy, loss } = await net.evaluate(rows, null);
      expect(accuracy).toBeGreaterThan(0.95);
      const { outputs } = await net.predict({ ...rows, batchSize: 7 });
      const classes = outputs.length / 200;
      const probabilities = Array.from({ length: 200 }, (_, row) => outputs.slice(row * classes, (row + 1) * classes));
      for (const row of probabilities) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(loss).toBeGreaterThan(0);
    }
  });

  it('trains to the same bits with one, two and five threads, and in slices of an epoch', async () => {
    const data = tokenData(100);
    const weights: Float32Array[] = [];
    for (const threads of [1, 2, 5]) {
      const net = model(tokenModel(), threads);
      await trainEpochs(net, data, 100, 3);
      weights.push(net.readParameters());
    }
    const sliced = model(tokenModel());
    for (let epoch = 0; epoch < 3; epoch++) {
      for (let firstStep = 0; firstStep < 7; firstStep += 3) {
        await sliced.train(
          {
            data,
            begin: 0,
            end: 100,
            batchSize: 16,
            epoch,
            shuffle: true,
            learningRate: 0.02,
            firstStep,
            maxSteps: 3,
          },
          null,
        );
      }
    }
    weights.push(sliced.readParameters());
    for (const other of weights) expect(other).toEqual(weights[0]);
  });

  it('resumes from weights and optimizer state to the same bits', async () => {
    const data = rowData(64);
    const whole = model(rowModel());
    await trainEpochs(whole, data, 64, 2);
    const { iterations, state } = whole.readOptimizer();
    expect(iterations).toBe(8);
    const again = model(rowModel(), 1, 3);
    again.writeParameters(0, whole.readParameters());
    again.writeOptimizer(iterations, state);
    await trainEpochs(whole, data, 64, 1);
    await trainEpochs(again, data, 64, 1);
    expect(again.readParameters()).toEqual(whole.readParameters());
  });

  it('tells gradients of weights and inputs, and that tokens have none', async () => {
    const data = rowData(10);
    const net = model(rowModel());
    const rows = { data, begin: 0, end: 10, batchSize: 4 };
    const { gradients, input, loss } = await net.gradients(rows, { training: false, input: true });
    expect(gradients.length).toBe(net.readParameters().length);
    expect(input?.length).toBe(20);
    expect(gradients.some((g) => g !== 0)).toBe(true);
    expect(loss).toBeCloseTo((await net.evaluate(rows, null)).loss, 6);
    const tokens = model(tokenModel());
    const answer = await tokens.gradients(
      { data: tokenData(4), begin: 0, end: 4, batchSize: 4 },
      { training: true, input: true },
    );
    expect(answer.input).toBeNull();
  });

  it('says what it holds in bytes', async () => {
    const net = model(rowModel());
    const before = net.memory();
    expect(before.parameters).toBe(net.readParameters().byteLength);
    expect(before.optimizer).toBeGreaterThanOrEqual(2 * before.gradients);
    await trainEpochs(net, rowData(64), 64, 1);
    expect(net.memory().activations).toBeGreaterThan(0);
  });
});

describe('a run', () => {
  const endless = {
    begin: 0,
    end: 4000,
    batchSize: 8,
    epoch: 0,
    shuffle: true,
    learningRate: 0.001,
    firstStep: 0,
    maxSteps: 0,
  };

  it('tells its progress in rising steps, ends within a step of abort() and leaves a usable model', async () => {
    const data = tokenData(4000, 200);
    const net = model(tokenModel(200, 64));
    const seen: NativeProgress[] = [];
    const run = await net.train({ ...endless, data }, (progress) => {
      seen.push(progress);
      if (seen.length === 3) net.abort();
    });
    expect(run.aborted).toBe(true);
    expect(run.steps).toBeLessThan(500);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    for (let i = 1; i < seen.length; i++) expect(seen[i]?.steps).toBeGreaterThan(seen[i - 1]?.steps ?? 0);
    expect(net.readOptimizer().iterations).toBe(run.steps);
    const { accuracy } = await net.evaluate({ data, begin: 0, end: 50, batchSize: 50 }, null);
    expect(accuracy).toBeGreaterThanOrEqual(0);
  });

  it('rejects with what its listener threw, and the model stays usable', async () => {
    const data = tokenData(4000, 200);
    const net = model(tokenModel(200, 64));
    const failure = new RangeError('of the listener');
    await expect(
      net.train({ ...endless, data }, () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(net.readParameters().length).toBeGreaterThan(0);
  });

  it('leaves the event loop alone: a timer of 1 ms is never 20 ms late', async () => {
    const data = tokenData(4000, 200);
    const net = model(tokenModel(200, 64), 2);
    const worstOf = async (timers: number) => {
      let worst = 0;
      for (let i = 0; i < timers; i++) {
        const before = performance.now();
        await delay(1);
        worst = Math.max(worst, performance.now() - before);
      }
      return worst;
    };
    const run = net.train({ ...endless, data }, () => {});
    // What else the machine does can be late, too, but not in each of three rounds.
    const rounds = [await worstOf(100), await worstOf(100), await worstOf(100)];
    net.abort();
    expect((await run).aborted).toBe(true);
    expect(Math.min(...rounds)).toBeLessThan(21);
  });

  it('is alone on its model: a second one, and reading weights meanwhile, are refused', async () => {
    const data = tokenData(4000, 200);
    const net = model(tokenModel(200, 64));
    const run = net.train({ ...endless, data }, null);
    await expect(net.train({ ...endless, data }, null)).rejects.toThrow(BusyError);
    await expect(net.predict({ data, begin: 0, end: 1, batchSize: 1 })).rejects.toThrow(BusyError);
    expect(() => net.readParameters()).toThrow(BusyError);
    expect(() => net.compile(sparseTraining)).toThrow(BusyError);
    net.abort();
    await run;
    expect(net.readParameters().length).toBeGreaterThan(0);
  });

  it('survives the disposal of its data set and of its model', async () => {
    const data = tokenData(4000, 200);
    const net = model(tokenModel(200, 64));
    const run = net.train({ ...endless, data }, null);
    data.dispose();
    await delay(30);
    net.dispose();
    expect((await run).aborted).toBe(true);
    expect(() => net.readParameters()).toThrow(DisposedError);
    await expect(net.train({ ...endless, data }, null)).rejects.toThrow(DisposedError);
    expect(() => data.appendInputs(new Int32Array(200))).toThrow(DisposedError);
    net.dispose();
    net.abort();
  });

  it('runs side by side with those of other models', async () => {
    const data = tokenData(100);
    const alone = model(tokenModel());
    await trainEpochs(alone, data, 100, 2);
    const nets = [1, 2, 2].map((threads) => model(tokenModel(), threads));
    await Promise.all(nets.map((net) => trainEpochs(net, data, 100, 2)));
    for (const net of nets) expect(net.readParameters()).toEqual(alone.readParameters());
  });

  it('ends with its worker, terminated in the middle, twenty times over', async () => {
    const file = fileURLToPath(new URL('./native-worker.mjs', import.meta.url));
    for (let i = 0; i < 20; i++) {
      const worker = new Worker(file);
      await once(worker, 'message');
      await delay(i * 2);
      await worker.terminate();
    }
    expect(native.cpu().cores).toBeGreaterThan(0);
  }, 60_000);
});

describe('bad input', () => {
  const options = { device: 'cpu', threads: 1, seed: 0 };

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
    const net = model(rowModel());
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

  it('as a device, a seed or a number of threads is refused', () => {
    expect(() => native.createModel(rowModel(), { ...options, device: 'cuda' })).toThrow(DeviceError);
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => native.createModel(rowModel(), { ...options, seed })).toThrow(InvalidArgumentError);
    }
    expect(() => native.createModel(rowModel(), { ...options, threads: 5000 })).toThrow(InvalidArgumentError);
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
    const net = model(tokenModel());
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
    const net = model(rowModel());
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
    const net = model(rowModel());
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
    const net = raw.createModel(rowModel(), { device: 'cpu', threads: 1, seed: 0 });
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
    const net = raw.createModel(rowModel(), { device: 'cpu', threads: 1, seed: 0 });
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
    const net = raw.createModel(rowModel(), { device: 'cpu', threads: 1, seed: 0 });
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
      const net = raw.createModel(rowModel(), { device: 'cpu', threads: 2, seed: 0 });
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

describe('a dropout mask', () => {
  it('drops at its rate, scales what it keeps, and depends on seed, step and stream alone', () => {
    const asked = { seed: 5, step: 2, stream: 33, count: 20_000, rate: 0.3 };
    const mask = native.dropoutMask(asked);
    const dropped = mask.filter((value) => value === 0).length;
    expect(dropped / mask.length).toBeCloseTo(0.3, 1);
    for (const value of mask) if (value !== 0) expect(value).toBeCloseTo(1 / 0.7, 6);
    expect(native.dropoutMask(asked)).toEqual(mask);
    expect(native.dropoutMask({ ...asked, step: 3 })).not.toEqual(mask);
    expect(() => native.dropoutMask({ ...asked, rate: 1 })).toThrow(InvalidArgumentError);
    expect(() => native.dropoutMask({ ...asked, count: 2 ** 40 })).toThrow(InvalidArgumentError);
  });
});
