import { describe, expect, test } from 'vitest';
import { type Callback, callbacks, type Logs, layers, optimizers, sequential } from '../../src/index.js';
import { expectClose } from './closeness.js';
import { STEPS, toyData, toyLayers, toyModel, weightBytes } from './toy.js';

describe('a network learns', () => {
  test('what it is shown, and tells its history', async () => {
    using model = toyModel();
    const { x, y } = toyData(600);
    const validationData = [toyData(200, 9).x, toyData(200, 9).y] as const;
    const before = await model.evaluate(...validationData);
    const history = await model.fit(x, y, { epochs: 12, validationData, verbose: 0 });
    expect(history.epoch).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(Object.keys(history.history)).toEqual(['loss', 'accuracy', 'val_loss', 'val_accuracy']);
    for (const values of Object.values(history.history)) expect(values).toHaveLength(12);
    expect(history.samplesPerSecond.every((speed) => speed > 0)).toBe(true);
    const after = await model.evaluate(...validationData);
    expect(before.accuracy).toBeLessThan(0.7);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(after.loss).toBeCloseTo(history.history.val_loss?.at(-1) as number, 6);
    expect(after.accuracy).toBeCloseTo(history.history.val_accuracy?.at(-1) as number, 6);
  });

  test('predict gives what evaluate counts', async () => {
    using model = toyModel();
    const { x, y } = toyData(100);
    await model.fit(x, y, { epochs: 3, verbose: 0 });
    const { data, shape } = await model.predict(x, { batchSize: 7 });
    expect(shape).toEqual([100, 2]);
    let right = 0;
    let loss = 0;
    for (let row = 0; row < 100; row++) {
      const [no = 0, yes = 0] = data.subarray(2 * row, 2 * row + 2);
      expect(no + yes).toBeCloseTo(1, 5);
      right += Number(yes > no === (y[row] === 1));
      loss -= Math.log(y[row] === 1 ? yes : no);
    }
    const logs = await model.evaluate(x, y, { batchSize: 33 });
    expect(logs.accuracy).toBeCloseTo(right / 100, 6);
    expect(logs.loss).toBeCloseTo(loss / 100, 5);
  });

  test('top-k counts the classes that predict ranks high', async () => {
    using model = sequential([layers.dense({ units: 7, activation: 'softmax' })], { inputShape: [3], seed: 2 });
    model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy', { topK: 3 }] });
    const x = Array.from({ length: 50 }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(7 * i)]);
    const y = x.map((_, i) => i % 7);
    const { data } = await model.predict(x);
    const ranks = y.map((label, row) => {
      const scores = data.subarray(row * 7, row * 7 + 7);
      return scores.filter((score) => score > (scores[label] as number)).length;
    });
    const logs = await model.evaluate(x, y);
    expect(Object.keys(logs)).toEqual(['loss', 'accuracy', 'topKCategoricalAccuracy']);
    expect(logs.accuracy).toBeCloseTo(ranks.filter((rank) => rank < 1).length / 50, 6);
    expect(logs.topKCategoricalAccuracy).toBeCloseTo(ranks.filter((rank) => rank < 3).length / 50, 6);
  });

  test('one sigmoid output, and a line by least squares', async () => {
    const x = Array.from({ length: 64 }, (_, i) => [i / 64, 1 - i / 32]);
    using binary = sequential([layers.dense({ units: 1, activation: 'sigmoid' })], { inputShape: [2], seed: 1 });
    binary.compile({
      optimizer: optimizers.sgd({ learningRate: 5 }),
      loss: 'binaryCrossentropy',
      metrics: ['accuracy'],
    });
    const labels = x.map(([a = 0]) => (a > 0.5 ? 1 : 0));
    const history = await binary.fit(x, labels, { epochs: 150, batchSize: 64, verbose: 0 });
    expect(history.history.accuracy?.at(-1)).toBeGreaterThan(0.95);

    using line = sequential([layers.dense({ units: 1 })], { inputShape: [2], seed: 1 });
    line.compile({ optimizer: optimizers.sgd({ learningRate: 0.3 }), loss: 'meanSquaredError' });
    const values = x.map(([a = 0, b = 0]) => 3 * a - 2 * b + 0.5);
    await line.fit(x, values, { epochs: 400, batchSize: 64, shuffle: false, verbose: 0 });
    const { data } = await line.predict(x);
    expectClose(data, values, 2);
  });
});

describe('the data of a run', () => {
  test('tensors, nested arrays and typed rows are the same data', async () => {
    const { x, y } = toyData(50);
    const rows = Array.from({ length: 50 }, (_, row) => x.data.subarray(row * STEPS, (row + 1) * STEPS));
    const shared = new Int32Array(new SharedArrayBuffer(x.data.byteLength));
    shared.set(x.data);
    const forms = [
      [x, y],
      [{ data: shared, shape: x.shape }, y],
      [rows, { data: y, shape: [50, 1] }],
      [rows.map((row) => Array.from(row)), Array.from(y)],
      [{ data: Float32Array.from(x.data), shape: x.shape }, Array.from(y, (id) => [id])],
    ] as const;
    const results: Buffer[] = [];
    for (const [inputs, targets] of forms) {
      using model = toyModel();
      await model.fit(inputs, targets, { epochs: 1, verbose: 0 });
      results.push(weightBytes(model));
    }
    for (const result of results) expect(result.equals(results[0] as Buffer)).toBe(true);
  });

  test('validationSplit takes the last rows off, before any shuffling', async () => {
    const { x, y } = toyData(50);
    const part = (begin: number, end: number) =>
      [{ data: x.data.slice(begin * STEPS, end * STEPS), shape: [end - begin, STEPS] }, y.slice(begin, end)] as const;
    using split = toyModel();
    const a = await split.fit(x, y, { epochs: 2, validationSplit: 0.3, batchSize: 8, verbose: 0 });
    using apart = toyModel();
    const b = await apart.fit(...part(0, 35), { epochs: 2, validationData: part(35, 50), batchSize: 8, verbose: 0 });
    expect(a.history).toEqual(b.history);
    expect(weightBytes(split).equals(weightBytes(apart))).toBe(true);
  });

  test('the caller may reuse or give away his arrays while fit runs', async () => {
    const { x, y } = toyData(300);
    using calm = toyModel();
    await calm.fit(x, y, { epochs: 2, verbose: 0 });
    using robbed = toyModel();
    const copy = { data: x.data.slice(), shape: x.shape };
    const run = robbed.fit(copy, y.slice(), {
      epochs: 2,
      verbose: 0,
      callbacks: [{ onTrainBegin: () => void structuredClone(copy.data.buffer, { transfer: [copy.data.buffer] }) }],
    });
    await run;
    expect(copy.data.length).toBe(0);
    expect(weightBytes(robbed).equals(weightBytes(calm))).toBe(true);
  });

  test('shuffle changes the order, and only the order', async () => {
    const { x, y } = toyData(64);
    const weightsOf = async (shuffle: boolean, batchSize: number) => {
      using model = sequential(
        [layers.embedding({ inputDim: 40, outputDim: 2 }), layers.flatten(), layers.dense({ units: 2 })],
        {
          inputShape: [STEPS],
          seed: 1,
        },
      );
      model.compile({ optimizer: optimizers.sgd({ learningRate: 0.1 }), loss: 'sparseCategoricalCrossentropy' });
      await model.fit(x, y, { shuffle, batchSize, epochs: 1, verbose: 0 });
      return Object.values(model.weights()).flatMap(({ data }) => Array.from(data));
    };
    const [inOrder, shuffled] = [await weightsOf(false, 8), await weightsOf(true, 8)];
    expect(shuffled).not.toEqual(inOrder);
    const [wholeInOrder, wholeShuffled] = [await weightsOf(false, 64), await weightsOf(true, 64)];
    expectClose(wholeShuffled, wholeInOrder, 5);
  });

  test('class weights scale the loss of their classes', async () => {
    const x = [[1], [1], [1], [1]];
    const gradientOf = async (y: number[], classWeight?: Record<number, number>) => {
      using model = sequential([layers.dense({ units: 2, activation: 'softmax', kernelInitializer: 'zeros' })], {
        inputShape: [1],
      });
      model.compile({ optimizer: optimizers.sgd({ learningRate: 1 }), loss: 'sparseCategoricalCrossentropy' });
      await model.fit(x, y, { batchSize: 4, verbose: 0, ...(classWeight === undefined ? {} : { classWeight }) });
      return Array.from(model.weights()['dense/bias']?.data ?? []);
    };
    // At equal probabilities the bias moves by the mean of w * (onehot - 0.5).
    expect(await gradientOf([0, 0, 0, 1])).toEqual([0.25, -0.25]);
    expect(await gradientOf([0, 0, 0, 1], { 1: 3 })).toEqual([0, 0]);
  });
});

describe('the same seed', () => {
  test('gives the same weights bit by bit, twice and with 1 and 2 threads', async () => {
    const { x, y } = toyData(200);
    const results: Buffer[] = [];
    for (const threads of [1, 1, 2]) {
      using model = toyModel({ threads });
      await model.fit(x, y, { epochs: 3, batchSize: 48, verbose: 0 });
      results.push(weightBytes(model));
    }
    expect(results[1]?.equals(results[0] as Buffer)).toBe(true);
    expect(results[2]?.equals(results[0] as Buffer)).toBe(true);
  });

  test('another seed gives others, and no seed a random one that is told', () => {
    using a = sequential(toyLayers(), { inputShape: [STEPS], seed: 1 });
    using b = sequential(toyLayers(), { inputShape: [STEPS], seed: 2 });
    using c = sequential(toyLayers(), { inputShape: [STEPS] });
    using d = sequential(toyLayers(), { inputShape: [STEPS], seed: c.seed });
    expect(weightBytes(a).equals(weightBytes(b))).toBe(false);
    expect(weightBytes(c).equals(weightBytes(d))).toBe(true);
  });
});

describe('callbacks', () => {
  test('are called in order and waited for', async () => {
    using model = toyModel();
    const { x, y } = toyData(40);
    const calls: string[] = [];
    const slow = (name: string) => async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      calls.push(name);
    };
    await model.fit(x, y, {
      epochs: 2,
      verbose: 0,
      callbacks: [
        { onTrainBegin: slow('begin'), onEpochBegin: slow('epoch'), onEpochEnd: slow('end'), onTrainEnd: slow('done') },
        { onEpochEnd: () => void calls.push('second') },
      ],
    });
    expect(calls).toEqual(['begin', 'epoch', 'end', 'second', 'epoch', 'end', 'second', 'done']);
  });

  test('may use the model between epochs, and what they add to the logs is history', async () => {
    using model = toyModel();
    const { x, y } = toyData(40);
    const seen: Logs[] = [];
    const callback: Callback = {
      async onEpochEnd(_epoch, logs, training) {
        expect(training.model).toBe(model);
        const evaluated = await model.evaluate(x, y);
        logs.train_loss = evaluated.loss as number;
        await model.predict(x);
        await model.gradients(x, y);
        model.setWeights(model.weights());
        seen.push(evaluated);
      },
    };
    const history = await model.fit(x, y, { epochs: 2, verbose: 0, callbacks: [callback] });
    expect(history.history.train_loss).toEqual(seen.map(({ loss }) => loss));
  });

  test('a learning rate they set holds from the next step', async () => {
    using model = toyModel();
    const { x, y } = toyData(64);
    const schedule = callbacks.learningRateScheduler((epoch, rate) => (epoch === 1 ? 0 : rate));
    const weights: Buffer[] = [];
    const history = await model.fit(x, y, {
      epochs: 2,
      verbose: 0,
      callbacks: [schedule, { onEpochEnd: () => void weights.push(weightBytes(model)) }],
    });
    expect(weights[1]?.equals(weights[0] as Buffer)).toBe(true);
    expect(history.history.learning_rate).toEqual([0.01, 0]);
    expect(model.learningRate).toBe(0);
  });

  test('one that throws ends the run; the model stays usable', async () => {
    const { x, y } = toyData(64);
    const failure = new Error('of the callback');
    const fail = () => {
      throw failure;
    };
    const rejects = async () => Promise.reject(failure);
    const failing: Callback[] = [
      { onTrainBegin: fail },
      { onEpochBegin: rejects },
      { onProgress: fail },
      { onProgress: rejects as () => void },
      { onEpochEnd: fail },
      { onTrainEnd: rejects },
    ];
    for (const callback of failing) {
      using model = toyModel();
      const told: unknown[] = [];
      const listener: Callback = { onTrainFailed: (error) => void told.push(error) };
      await expect(model.fit(x, y, { epochs: 3, verbose: 0, callbacks: [callback, listener] })).rejects.toBe(failure);
      expect(told).toEqual([failure]);
      await model.fit(x, y, { verbose: 0 });
      expect((await model.evaluate(x, y)).loss).toBeGreaterThan(0);
    }
  });

  test('stop ends after the epoch', async () => {
    using model = toyModel();
    const { x, y } = toyData(40);
    const stopping: Callback = { onEpochEnd: (epoch, _logs, training) => (epoch === 1 ? training.stop() : undefined) };
    const history = await model.fit(x, y, { epochs: 9, verbose: 0, callbacks: [stopping] });
    expect(history.epoch).toEqual([0, 1]);
  });

  test('earlyStopping and restoreBestWeights on a real run', async () => {
    using model = toyModel();
    const { x, y } = toyData(40);
    const [xv, yv] = [toyData(40, 8).x, toyData(40, 8).y];
    const history = await model.fit(x, y, {
      epochs: 200,
      verbose: 0,
      validationData: [xv, yv],
      callbacks: [callbacks.earlyStopping({ patience: 3, restoreBestWeights: true })],
    });
    const losses = history.history.val_loss ?? [];
    expect(losses.length).toBeLessThan(200);
    expect((await model.evaluate(xv, yv)).loss).toBeCloseTo(Math.min(...losses), 5);
  });
});

describe('stepsPerCall', () => {
  test('pauses between steps and changes no result', async () => {
    const { x, y } = toyData(100);
    using whole = toyModel();
    const a = await whole.fit(x, y, { epochs: 2, batchSize: 8, verbose: 0 });
    using parts = toyModel();
    const steps: number[] = [];
    const counting: Callback = { onStepsEnd: (progress) => void steps.push(progress.steps) };
    const b = await parts.fit(x, y, { epochs: 2, batchSize: 8, stepsPerCall: 5, verbose: 0, callbacks: [counting] });
    expect(steps).toEqual([5, 10, 13, 5, 10, 13]);
    expect(weightBytes(parts).equals(weightBytes(whole))).toBe(true);
    expectClose(b.history.loss, a.history.loss, 5);
    expectClose(b.history.accuracy, a.history.accuracy, 6);
  });

  test('lets a callback stop within an epoch', async () => {
    using model = toyModel();
    const { x, y } = toyData(100);
    let steps = 0;
    const stopping: Callback = {
      onStepsEnd: (progress, training) => {
        steps = progress.steps;
        if (steps === 3) training.stop();
      },
    };
    const history = await model.fit(x, y, {
      epochs: 5,
      batchSize: 8,
      stepsPerCall: 1,
      verbose: 0,
      callbacks: [stopping],
    });
    expect(steps).toBe(3);
    expect(history.epoch).toEqual([0]);
  });
});

describe('gradients', () => {
  test('are those of the mean loss: by differences, and in batches of any size', async () => {
    using model = sequential(
      [layers.lstm({ units: 3, variant: 'LSTM1' }), layers.dense({ units: 2, activation: 'softmax' })],
      {
        inputShape: [4, 2],
        seed: 4,
      },
    );
    model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
    const x = { data: Float32Array.from({ length: 5 * 8 }, (_, i) => Math.sin(i)), shape: [5, 4, 2] };
    const y = [0, 1, 1, 0, 1];
    const gradients = await model.gradients(x, y, { input: true });
    expect(gradients.input?.shape).toEqual([5, 4, 2]);
    const inBatches = await model.gradients(x, y, { batchSize: 2 });
    const weights = model.weights();
    expect(Object.keys(inBatches)).toEqual(Object.keys(weights));
    for (const [name, { data, shape }] of Object.entries(weights)) {
      expect(gradients[name]?.shape).toEqual(shape);
      expectClose(inBatches[name]?.data, gradients[name]?.data, 6);
      const delta = 1e-2;
      const loss = async (change: number) => {
        const moved = data.slice();
        moved[0] = (moved[0] as number) + change;
        model.setWeights({ [name]: { data: moved, shape } });
        return (await model.evaluate(x, y)).loss as number;
      };
      const difference = ((await loss(delta)) - (await loss(-delta))) / (2 * delta);
      model.setWeights({ [name]: { data, shape } });
      expect(gradients[name]?.data[0]).toBeCloseTo(difference, 3);
    }
  });

  test('of frozen arrays are left out, the model stays as it is', async () => {
    using model = sequential(
      [
        layers.embedding({ inputDim: 40, outputDim: 2, trainable: false }),
        layers.lstm({ units: 2 }),
        layers.dense({ units: 2 }),
      ],
      { inputShape: [STEPS], seed: 1 },
    );
    model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
    const { x, y } = toyData(6);
    const before = weightBytes(model);
    expect(Object.keys(await model.gradients(x, y))).not.toContain('embedding/embeddings');
    expect(weightBytes(model).equals(before)).toBe(true);
    await model.fit(x, y, { verbose: 0 });
    expect(model.weights()['embedding/embeddings']?.data).toHaveLength(80);
    expect(weightBytes(model).equals(before)).toBe(false);
  });
});
