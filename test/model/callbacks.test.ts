import { describe, expect, test } from 'vitest';
import {
  type Callback,
  callbacks,
  InvalidArgumentError,
  type Logs,
  type Model,
  type Training,
} from '../../src/index.js';

/** A run of `fit` whose numbers are given: what a callback sees of one, with a model of one weight, the epoch's number. */
class Rehearsal implements Training {
  readonly epochs: number;
  readonly initialEpoch = 0;
  readonly stepsPerEpoch = 4;
  readonly samples = 100;
  readonly batchSize = 25;
  readonly streamed = false;
  readonly metrics: readonly string[];
  readonly model: Model;
  readonly rates: number[] = [];
  weight = -1;
  epochsRun = 0;
  #stopped = false;
  readonly #callback: Callback;
  readonly #logs: readonly Logs[];

  constructor(callback: Callback, logs: readonly Logs[], learningRate = 1) {
    this.#callback = callback;
    this.#logs = logs;
    this.epochs = logs.length;
    this.metrics = Object.keys(logs[0] ?? {});
    const model = {
      learningRate,
      weights: () => ({ weight: { data: new Float32Array([this.weight]), shape: [1] } }),
      setWeights: ({ weight }: { weight: { data: Float32Array } }) => {
        this.weight = weight.data[0] as number;
      },
    };
    this.model = model as unknown as Model;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<this> {
    let logs: Logs = {};
    await this.#callback.onTrainBegin?.(this);
    for (let epoch = 0; epoch < this.epochs && !this.#stopped; epoch++) {
      await this.#callback.onEpochBegin?.(epoch, this);
      this.rates.push(this.model.learningRate);
      this.weight = epoch;
      const steps = this.stepsPerEpoch;
      logs = { ...this.#logs[epoch] };
      this.#callback.onProgress?.({ epoch, steps, samples: this.samples, seconds: 2, logs }, this);
      await this.#callback.onEpochEnd?.(epoch, logs, this);
      this.epochsRun++;
    }
    await this.#callback.onTrainEnd?.(logs, this);
    return this;
  }
}

const series = (name: string, ...values: number[]): Logs[] => values.map((value) => ({ loss: 1, [name]: value }));

describe('earlyStopping', () => {
  // The epochs that Keras 3.15's EarlyStopping(monitor='val_loss', mode='min', ...) ran when its on_epoch_end was given
  // these numbers.
  test.each([
    ['patience 0 stops at the first epoch that is not better', { patience: 0 }, [3, 2, 2.5, 1, 0], 3],
    ['patience 2 waits two epochs', { patience: 2 }, [3, 2, 2.5, 2.4, 1, 0], 4],
    ['an improvement begins the waiting anew', { patience: 2 }, [3, 4, 2, 4, 4, 1], 5],
    ['minDelta asks for more', { patience: 1, minDelta: 0.5 }, [3, 2.8, 1], 2],
    ['the first epoch never stops', { patience: 0 }, [3, 2, 1], 3],
    ['startFromEpoch looks away before', { patience: 0, startFromEpoch: 3 }, [1, 2, 3, 4, 5, 6], 5],
    [
      'improvements that do not beat the baseline end no waiting',
      { patience: 2, baseline: 2 },
      [3, 2.5, 2.6, 2.6, 2.6],
      3,
    ],
    ['one that beats it does', { patience: 3, baseline: 2 }, [3, 1.5, 2.6, 2.6, 2.6], 5],
    ['NaN is no improvement', { patience: 1 }, [3, Number.NaN, 2], 2],
  ])('%s', async (_, options, values, epochs) => {
    const run = await new Rehearsal(callbacks.earlyStopping(options), series('val_loss', ...values)).run();
    expect(run.epochsRun).toBe(epochs);
  });

  test('more accuracy is better, less loss is better, other numbers need a mode', async () => {
    const accuracy = callbacks.earlyStopping({ monitor: 'val_accuracy' });
    expect((await new Rehearsal(accuracy, series('val_accuracy', 0.1, 0.2, 0.3, 0.2, 0.4)).run()).epochsRun).toBe(4);
    expect(() => callbacks.earlyStopping({ monitor: 'val_f1' })).toThrow(/mode 'min' or 'max'/);
    const other = callbacks.earlyStopping({ monitor: 'val_f1', mode: 'max' });
    expect((await new Rehearsal(other, series('val_f1', 0.1, 0.2, 0.1)).run()).epochsRun).toBe(3);
  });

  test('restoreBestWeights gives the weights of the best epoch back, stopped early or not', async () => {
    const options = { patience: 2, restoreBestWeights: true };
    const stopped = new Rehearsal(callbacks.earlyStopping(options), series('val_loss', 3, 1, 2, 2, 0));
    expect((await stopped.run()).weight).toBe(1);
    const finished = new Rehearsal(callbacks.earlyStopping(options), series('val_loss', 3, 2, 1, 2));
    expect((await finished.run()).weight).toBe(2);
    const without = new Rehearsal(callbacks.earlyStopping({ patience: 2 }), series('val_loss', 3, 1, 2, 2, 0));
    expect((await without.run()).weight).toBe(3);
  });

  test('one callback serves run after run', async () => {
    const callback = callbacks.earlyStopping({ patience: 0 });
    await new Rehearsal(callback, series('val_loss', 1, 0.5, 0.6)).run();
    expect((await new Rehearsal(callback, series('val_loss', 9, 8, 7)).run()).epochsRun).toBe(3);
  });

  test('a number the run has not is an error that says what to do', async () => {
    const run = new Rehearsal(callbacks.earlyStopping(), series('accuracy', 1));
    await expect(run.run()).rejects.toThrow(InvalidArgumentError);
    await expect(run.run()).rejects.toThrow(/val_loss; give fit validationData or validationSplit/);
    const misspelt = new Rehearsal(callbacks.earlyStopping({ monitor: 'acuracy', mode: 'max' }), series('accuracy', 1));
    await expect(misspelt.run()).rejects.toThrow(/did you mean accuracy\?/);
  });
});

describe('the learning rate', () => {
  test('learningRateScheduler sets it before each epoch and tells it', async () => {
    const seen: number[] = [];
    const callback = callbacks.learningRateScheduler((epoch, rate) => {
      seen.push(rate);
      return epoch === 0 ? rate : rate / 2;
    });
    const run = await new Rehearsal(callback, series('val_loss', 1, 1, 1), 0.4).run();
    expect(run.rates).toEqual([0.4, 0.2, 0.1]);
    expect(seen).toEqual([0.4, 0.4, 0.2]);
  });

  // Learning rates by Keras 3.15's ReduceLROnPlateau over the same numbers.
  test('reduceLROnPlateau lowers it after patience, waits out the cooldown, stops at the least', async () => {
    const plateau = series('val_loss', 5, 5, 5, 5, 5, 5, 5);
    const quick = callbacks.reduceLROnPlateau({ patience: 2, factor: 0.5 });
    expect((await new Rehearsal(quick, plateau).run()).rates).toEqual([1, 1, 1, 0.5, 0.5, 0.25, 0.25]);
    const slow = callbacks.reduceLROnPlateau({ patience: 1, factor: 0.5, cooldown: 2, minLearningRate: 0.3 });
    expect((await new Rehearsal(slow, plateau).run()).rates).toEqual([1, 1, 0.5, 0.5, 0.3, 0.3, 0.3]);
  });

  test.each([
    [() => callbacks.reduceLROnPlateau({ factor: 1 }), /factor/],
    [() => callbacks.reduceLROnPlateau({ patience: -1 }), /patience/],
    [() => callbacks.learningRateScheduler(3 as never), /^Expected a function for schedule/],
    [() => callbacks.earlyStopping({ patiense: 3 } as never), /did you mean patience\?/],
    [() => callbacks.modelCheckpoint('', {}), /^Expected a non-empty string for path/],
  ])('options that cannot be: %s', (make, message) => {
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
  });
});

test('terminateOnNaN ends the run', async () => {
  const logs = [{ loss: 1 }, { loss: Number.NaN }, { loss: 1 }];
  expect((await new Rehearsal(callbacks.terminateOnNaN(), logs).run()).epochsRun).toBe(2);
  const infinite = [{ loss: Number.POSITIVE_INFINITY }, { loss: 1 }];
  expect((await new Rehearsal(callbacks.terminateOnNaN(), infinite).run()).epochsRun).toBe(1);
});

test('history collects the numbers of all epochs and their speed', async () => {
  const history = callbacks.history();
  await new Rehearsal(history, [{ loss: 2 }, { loss: 1, late: 5 }]).run();
  expect(history.epoch).toEqual([0, 1]);
  expect(history.history).toEqual({ loss: [2, 1], late: [Number.NaN, 5] });
  expect(history.samplesPerSecond).toEqual([50, 50]);
});

test('modelCheckpoint saves the epochs that are due, under their names', async () => {
  const saved: string[] = [];
  const run = async (callback: Callback, ...values: number[]) => {
    saved.length = 0;
    const rehearsal = new Rehearsal(callback, series('val_loss', ...values));
    Object.assign(rehearsal.model, { save: async (path: string) => void saved.push(path) });
    await rehearsal.run();
    return saved;
  };
  expect(await run(callbacks.modelCheckpoint('m'), 2, 3)).toEqual(['m', 'm']);
  expect(await run(callbacks.modelCheckpoint('m-{epoch}-{val_loss}'), 2, 3)).toEqual(['m-001-2.0000', 'm-002-3.0000']);
  expect(await run(callbacks.modelCheckpoint('m-{epoch}', { saveBestOnly: true }), 3, 2, 2, 1)).toEqual([
    'm-001',
    'm-002',
    'm-004',
  ]);
  await expect(run(callbacks.modelCheckpoint('m-{acc}'), 1)).rejects.toThrow(/\{epoch\}, \{loss\}.*received \{acc\}/);
});

describe('progressLine', () => {
  async function written(isTTY: boolean, columns?: number): Promise<string> {
    const parts: string[] = [];
    const stream = { isTTY, ...(columns === undefined ? {} : { columns }), write: (part: string) => parts.push(part) };
    await new Rehearsal(callbacks.progressLine({ stream }), series('val_loss', 0.5, 0.00012)).run();
    return parts.join('');
  }

  test('without a terminal: two plain lines an epoch', async () => {
    expect(await written(false)).toBe(
      'Epoch 1/2\n4/4 ━━━━━━━━━━ 2.0s 50 samples/s - loss: 1.0000 - val_loss: 0.5000\n' +
        'Epoch 2/2\n4/4 ━━━━━━━━━━ 2.0s 50 samples/s - loss: 1.0000 - val_loss: 1.2000e-4\n',
    );
  });

  test('on a terminal: one line that is redrawn and never wider than the terminal', async () => {
    const text = await written(true, 30);
    expect(text).toContain('\r\u001B[2K');
    const visible = text.split('\n').flatMap((line) => line.split('\r\u001B[2K'));
    expect(Math.max(...visible.map((line) => line.length))).toBe(29);
    expect(text.endsWith('\n')).toBe(true);
  });
});
