import { describe, expect, test } from 'vitest';
import { BusyError, DisposedError } from '../../src/index.js';
import { longRun, toyData, toyModel, weightBytes } from './toy.js';

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('the signal', () => {
  test('ends fit within one step and leaves a usable model', async () => {
    const { model, x, y } = longRun();
    using _ = model;
    const controller = new AbortController();
    const reason = new Error('enough');
    let abortedAt = 0;
    const run = model.fit(x, y, { epochs: 1000, batchSize: 64, verbose: 0, signal: controller.signal });
    setTimeout(() => {
      abortedAt = performance.now();
      controller.abort(reason);
    }, 300);
    await expect(run).rejects.toBe(reason);
    // A step of this network takes a few milliseconds.
    expect(performance.now() - abortedAt).toBeLessThan(250);
    const weights = weightBytes(model);
    expect(new Float32Array(new Uint8Array(weights).buffer).every(Number.isFinite)).toBe(true);
    const small = [{ data: x.data.slice(0, 6400), shape: [64, 100] }, y.slice(0, 64)] as const;
    expect((await model.evaluate(...small)).loss).toBeGreaterThan(0);
    await model.fit(...small, { verbose: 0 });
  });

  test('that has aborted before rejects at once, for every job', async () => {
    using model = toyModel();
    const { x, y } = toyData(10);
    const signal = AbortSignal.abort('no');
    await expect(model.fit(x, y, { signal, verbose: 0 })).rejects.toBe('no');
    await expect(model.evaluate(x, y, { signal })).rejects.toBe('no');
    await expect(model.predict(x, { signal })).rejects.toBe('no');
    await expect(model.gradients(x, y, { signal })).rejects.toBe('no');
    expect((await model.evaluate(x, y)).loss).toBeGreaterThan(0);
  });

  test('ends evaluate, predict and gradients too', async () => {
    const { model, x, y } = longRun();
    using _ = model;
    for (const start of [
      (signal: AbortSignal) => model.evaluate(x, y, { signal, batchSize: 8 }),
      (signal: AbortSignal) => model.predict(x, { signal, batchSize: 8 }),
      (signal: AbortSignal) => model.gradients(x, y, { signal, batchSize: 8 }),
    ]) {
      await expect(start(AbortSignal.timeout(60))).rejects.toMatchObject({ name: 'TimeoutError' });
    }
    expect((await model.predict({ data: x.data.slice(0, 100), shape: [1, 100] })).shape).toEqual([1, 2]);
  });

  test('aborted in a callback, and no listener is left behind', async () => {
    using model = toyModel();
    const { x, y } = toyData(40);
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => {
        listeners++;
        add(...args);
      },
      removeEventListener: (...args: Parameters<typeof remove>) => {
        listeners--;
        remove(...args);
      },
    });
    const epochs: number[] = [];
    const run = model.fit(x, y, {
      epochs: 5,
      verbose: 0,
      signal,
      callbacks: [
        {
          onEpochEnd: (epoch) => {
            epochs.push(epoch);
            if (epoch === 1) controller.abort();
          },
        },
      ],
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(epochs).toEqual([0, 1]);
    expect(listeners).toBe(0);
  });

  test('a run that was aborted goes on as if it had not been', async () => {
    const { x, y } = toyData(100);
    using straight = toyModel();
    await straight.fit(x, y, { epochs: 3, batchSize: 10, verbose: 0 });
    using interrupted = toyModel();
    const controller = new AbortController();
    const run = interrupted.fit(x, y, {
      epochs: 3,
      batchSize: 10,
      verbose: 0,
      signal: controller.signal,
      callbacks: [{ onEpochEnd: (epoch) => (epoch === 0 ? controller.abort() : undefined) }],
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    await interrupted.fit(x, y, { epochs: 3, initialEpoch: 1, batchSize: 10, verbose: 0 });
    expect(weightBytes(interrupted).equals(weightBytes(straight))).toBe(true);
  });
});

describe('two jobs at once', () => {
  test('are refused, the first goes on', async () => {
    const { model, x, y } = longRun();
    using _ = model;
    const controller = new AbortController();
    const run = model.fit(x, y, { epochs: 1000, verbose: 0, signal: controller.signal });
    await delay(100);
    await expect(model.fit(x, y, { verbose: 0 })).rejects.toThrow(BusyError);
    await expect(model.evaluate(x, y)).rejects.toMatchObject({ code: 'ERR_BUSY' });
    await expect(model.predict(x)).rejects.toThrow(/while fit is running/);
    await expect(model.gradients(x, y)).rejects.toThrow(BusyError);
    await expect(model.save('nowhere')).rejects.toThrow(BusyError);
    expect(() => model.weights()).toThrow(BusyError);
    expect(() => model.setWeights({})).toThrow(BusyError);
    expect(() => model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' })).toThrow(BusyError);
    controller.abort();
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(Object.keys(model.weights())).toHaveLength(6);
  });

  test('a fit in a callback of fit is refused', async () => {
    using model = toyModel();
    const { x, y } = toyData(20);
    const run = model.fit(x, y, { verbose: 0, callbacks: [{ onEpochEnd: async () => void (await model.fit(x, y)) }] });
    await expect(run).rejects.toThrow(BusyError);
  });

  test('a job that a callback began and did not wait for is waited for', async () => {
    using model = toyModel();
    const { x, y } = toyData(200);
    let predicted: Promise<unknown> | undefined;
    await model.fit(x, y, {
      epochs: 2,
      verbose: 0,
      callbacks: [
        {
          onEpochEnd: (epoch) => {
            if (epoch === 0) predicted = model.predict(x);
          },
        },
      ],
    });
    expect(await predicted).toMatchObject({ shape: [200, 2] });
  });
});

describe('dispose', () => {
  test('ends a running fit, which rejects', async () => {
    const { model, x, y } = longRun();
    const run = model.fit(x, y, { epochs: 1000, verbose: 0 });
    setTimeout(() => model.dispose(), 100);
    await expect(run).rejects.toThrow(DisposedError);
  });

  test('while the data is being read', async () => {
    const { model, x, y } = longRun();
    const run = model.fit(x, y, { verbose: 0 });
    model.dispose();
    await expect(run).rejects.toThrow(DisposedError);
  });

  test('twice does nothing, and everything after it is refused', async () => {
    const model = toyModel();
    const { x, y } = toyData(10);
    model.dispose();
    model.dispose();
    await expect(model.fit(x, y)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await expect(model.evaluate(x, y)).rejects.toThrow(DisposedError);
    await expect(model.predict(x)).rejects.toThrow(DisposedError);
    await expect(model.gradients(x, y)).rejects.toThrow(DisposedError);
    await expect(model.save('nowhere')).rejects.toThrow(DisposedError);
    expect(() => model.weights()).toThrow(DisposedError);
    expect(() => model.setWeights({})).toThrow(DisposedError);
    expect(() => model.summary()).toThrow(DisposedError);
    expect(() => model.memory()).toThrow(DisposedError);
    expect(() => model.learningRate).toThrow(DisposedError);
    expect(() => model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' })).toThrow(DisposedError);
    expect(model.outputShape).toEqual([2]);
  });

  test('hundreds of models come and go', async () => {
    const { x, y } = toyData(10);
    for (let i = 0; i < 200; i++) {
      using model = toyModel({ threads: 2 });
      if (i % 20 === 0) await model.fit(x, y, { verbose: 0 });
    }
  });
});
