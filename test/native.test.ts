import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { BusyError, DisposedError, InvalidArgumentError } from '../src/errors.js';
import { loadNative } from '../src/load-native.js';
import type { NativeModel, NativeProgress } from '../src/native.js';
import { compiledModel, rowData, rowModel, sparseTraining, tokenData, tokenModel } from './native-models.js';

const native = loadNative();

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
    const net = compiledModel(tokenModel());
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
    const net = compiledModel(rowModel());
    const weights = net.readParameters();
    expect(compiledModel(rowModel()).readParameters()).toEqual(weights);
    expect(compiledModel(rowModel(), 1, 4).readParameters()).not.toEqual(weights);
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
      const net = compiledModel(spec);
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
      const net = compiledModel(tokenModel(), threads);
      await trainEpochs(net, data, 100, 3);
      weights.push(net.readParameters());
    }
    const sliced = compiledModel(tokenModel());
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
    const whole = compiledModel(rowModel());
    await trainEpochs(whole, data, 64, 2);
    const { iterations, state } = whole.readOptimizer();
    expect(iterations).toBe(8);
    const again = compiledModel(rowModel(), 1, 3);
    again.writeParameters(0, whole.readParameters());
    again.writeOptimizer(iterations, state);
    await trainEpochs(whole, data, 64, 1);
    await trainEpochs(again, data, 64, 1);
    expect(again.readParameters()).toEqual(whole.readParameters());
  });

  it('tells gradients of weights and inputs, and that tokens have none', async () => {
    const data = rowData(10);
    const net = compiledModel(rowModel());
    const rows = { data, begin: 0, end: 10, batchSize: 4 };
    const { gradients, input, loss } = await net.gradients(rows, { training: false, input: true });
    expect(gradients.length).toBe(net.readParameters().length);
    expect(input?.length).toBe(20);
    expect(gradients.some((g) => g !== 0)).toBe(true);
    expect(loss).toBeCloseTo((await net.evaluate(rows, null)).loss, 6);
    const tokens = compiledModel(tokenModel());
    const answer = await tokens.gradients(
      { data: tokenData(4), begin: 0, end: 4, batchSize: 4 },
      { training: true, input: true },
    );
    expect(answer.input).toBeNull();
  });

  it('says what it holds in bytes', async () => {
    const net = compiledModel(rowModel());
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
    const net = compiledModel(tokenModel(200, 64));
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
    const net = compiledModel(tokenModel(200, 64));
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
    const net = compiledModel(tokenModel(200, 64), 2);
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
    const net = compiledModel(tokenModel(200, 64));
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
    const net = compiledModel(tokenModel(200, 64));
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
    const alone = compiledModel(tokenModel());
    await trainEpochs(alone, data, 100, 2);
    const nets = [1, 2, 2].map((threads) => compiledModel(tokenModel(), threads));
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
