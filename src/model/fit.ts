/** Training: the epochs of a run, with everything that happens between them. */

import { boolean, checkedOptions, nonNegativeInteger, nonNegativeNumber, positiveInteger } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { NativeProgress } from '../native.js';
import type { TensorLike } from '../tensor.js';
import type { Callback, EpochProgress, Training } from './callbacks/callback.js';
import { CallbackList, checkedCallbacks } from './callbacks/callback-list.js';
import { type History, HistoryCallback } from './callbacks/history.js';
import { progressLine } from './callbacks/progress-line.js';
import { classWeights } from './class-weights.js';
import { type Loaded, loadDataset } from './dataset.js';
import { joined, type Logs, logsOf, metricNames } from './metrics.js';
import type { Compiled, ModelCore } from './model-core.js';
import type { Model } from './sequential.js';
import { checkedSignal } from './signal.js';

export interface FitOptions {
  /** Index after the last epoch. Default 1. */
  readonly epochs?: number;
  /** Where a run that goes on with an earlier one begins; also decides the order of rows of its epochs. Default 0. */
  readonly initialEpoch?: number;
  /** Default 32, or the number of rows where there are fewer. Given, it must not be above the number of rows. */
  readonly batchSize?: number;
  /** True (the default): the rows come in a new order in every epoch, by the model's seed. */
  readonly shuffle?: boolean;
  readonly validationData?: readonly [x: TensorLike, y: TensorLike];
  /** Part of the rows that validate, in [0, 1): the last ones, taken off before any shuffling. Default 0. */
  readonly validationSplit?: number;
  /** Default: `batchSize`. */
  readonly validationBatchSize?: number;
  /** Factors of the training loss by class id; 1 for classes that are left out. */
  readonly classWeight?: Readonly<Record<number, number>>;
  readonly callbacks?: readonly Callback[];
  /** Ends the run within one step; `fit` rejects with the signal's reason, the model is as after the last whole step. */
  readonly signal?: AbortSignal;
  /** 1 shows progress on standard output, 0 shows none; `'auto'` (the default) shows it on a terminal. */
  readonly verbose?: 0 | 1 | 'auto';
  /** Steps after which the engine pauses for onStepsEnd and a changed learning rate. Default: a whole epoch. */
  readonly stepsPerCall?: number;
}

interface Plan {
  readonly epochs: number;
  readonly initialEpoch: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly trainingRows: number;
  readonly classWeights: Float32Array | undefined;
  readonly stepsPerCall: number;
  readonly stepsPerEpoch: number;
}

interface Validation {
  readonly loaded: Loaded;
  readonly begin: number;
  readonly batchSize: number;
}

const optionNames: readonly (keyof FitOptions)[] = [
  'epochs',
  'initialEpoch',
  'batchSize',
  'shuffle',
  'validationData',
  'validationSplit',
  'validationBatchSize',
  'classWeight',
  'callbacks',
  'signal',
  'verbose',
  'stepsPerCall',
];

const DEFAULT_BATCH_SIZE = 32;

export async function fitModel(
  model: Model,
  core: ModelCore,
  x: TensorLike,
  y: TensorLike,
  options: FitOptions | undefined,
): Promise<History> {
  const given = checkedOptions(options, optionNames, 'fit');
  const compiled = core.requireCompiled('fit');
  const signal = checkedSignal(given.signal);
  const history = new HistoryCallback();
  // Display and history come last, as in Keras, so that they see what the callbacks before them put into the logs.
  const callbacks = new CallbackList(
    [...checkedCallbacks(given.callbacks ?? []), ...display(given), history],
    core.gate,
  );
  checkValidation(given);
  const leave = core.gate.enter('fit');
  const disposables: Loaded[] = [];
  try {
    const { targets: form } = compiled;
    const loaded = await loadDataset(core.addon, core.architecture, x, { y, form }, signal);
    disposables.push(loaded);
    const plan = planOf(given, loaded.rows, compiled);
    let validation: Validation | null = null;
    if (given.validationData !== undefined) {
      const [xv, yv] = given.validationData;
      const names = ['validationData[0]', 'validationData[1]'] as const;
      const other = await loadDataset(core.addon, core.architecture, xv, { y: yv, form }, signal, names);
      disposables.push(other);
      validation = { loaded: other, begin: 0, batchSize: validationBatchSize(given, plan) };
    } else if (plan.trainingRows < loaded.rows) {
      validation = { loaded, begin: plan.trainingRows, batchSize: validationBatchSize(given, plan) };
    }
    const run = new Run(model, core, compiled, callbacks, plan, loaded, validation, signal);
    await run.all();
    return history;
  } finally {
    for (const { data } of disposables) data.dispose();
    leave();
  }
}

function display({ verbose = 'auto' }: FitOptions): Callback[] {
  if (verbose !== 0 && verbose !== 1 && verbose !== 'auto') {
    throw new InvalidArgumentError(expectation("0, 1 or 'auto'", 'verbose', verbose));
  }
  const shown = verbose === 1 || (verbose === 'auto' && process.stdout.isTTY === true);
  return shown ? [progressLine()] : [];
}

function checkValidation({ validationData, validationSplit = 0 }: FitOptions): void {
  const split = nonNegativeNumber(validationSplit, 'validationSplit');
  if (split >= 1) {
    throw new InvalidArgumentError(expectation('a number of 0 or more and below 1', 'validationSplit', split));
  }
  if (validationData === undefined) return;
  if (!Array.isArray(validationData) || validationData.length !== 2) {
    throw new InvalidArgumentError(expectation('an array [x, y]', 'validationData', validationData));
  }
  if (split > 0) throw new InvalidArgumentError('Expected validationData or validationSplit but received both');
}

function planOf(given: FitOptions, rows: number, compiled: Compiled): Plan {
  const epochs = nonNegativeInteger(given.epochs ?? 1, 'epochs');
  const initialEpoch = nonNegativeInteger(given.initialEpoch ?? 0, 'initialEpoch');
  // As in Keras: the training rows are rounded down.
  const trainingRows = Math.floor(rows * (1 - (given.validationSplit ?? 0)));
  if (trainingRows === 0) {
    throw new InvalidArgumentError(
      `Expected a validationSplit that leaves rows to train on but received ${given.validationSplit} of ${rows} rows`,
    );
  }
  const batchSize =
    given.batchSize === undefined
      ? Math.min(DEFAULT_BATCH_SIZE, trainingRows)
      : positiveInteger(given.batchSize, 'batchSize');
  if (batchSize > trainingRows) {
    throw new InvalidArgumentError(
      expectation(`an integer of at most ${trainingRows}, the number of training rows,`, 'batchSize', batchSize),
    );
  }
  const stepsPerEpoch = Math.ceil(trainingRows / batchSize);
  return {
    epochs,
    initialEpoch,
    batchSize,
    shuffle: boolean(given.shuffle ?? true, 'shuffle'),
    trainingRows,
    classWeights: classWeights(given.classWeight, compiled),
    stepsPerCall: given.stepsPerCall === undefined ? 0 : positiveInteger(given.stepsPerCall, 'stepsPerCall'),
    stepsPerEpoch,
  };
}

function validationBatchSize({ validationBatchSize }: FitOptions, { batchSize }: Plan): number {
  return validationBatchSize === undefined ? batchSize : positiveInteger(validationBatchSize, 'validationBatchSize');
}

/** The epochs of one call of `fit`. */
class Run implements Training {
  readonly model: Model;
  readonly epochs: number;
  readonly initialEpoch: number;
  readonly stepsPerEpoch: number;
  readonly samples: number;
  readonly batchSize: number;
  readonly metrics: readonly string[];
  streamed = false;
  readonly #core: ModelCore;
  readonly #compiled: Compiled;
  readonly #callbacks: CallbackList;
  readonly #plan: Plan;
  readonly #loaded: Loaded;
  readonly #validation: Validation | null;
  readonly #signal: AbortSignal | undefined;
  #stopped = false;

  constructor(
    model: Model,
    core: ModelCore,
    compiled: Compiled,
    callbacks: CallbackList,
    plan: Plan,
    loaded: Loaded,
    validation: Validation | null,
    signal: AbortSignal | undefined,
  ) {
    this.model = model;
    this.epochs = plan.epochs;
    this.initialEpoch = plan.initialEpoch;
    this.stepsPerEpoch = plan.stepsPerEpoch;
    this.samples = plan.trainingRows;
    this.batchSize = plan.batchSize;
    const names = metricNames(compiled.metrics);
    this.metrics = validation === null ? names : [...names, ...names.map((name) => `val_${name}`)];
    this.#core = core;
    this.#compiled = compiled;
    this.#callbacks = callbacks;
    this.#plan = plan;
    this.#loaded = loaded;
    this.#validation = validation;
    this.#signal = signal;
  }

  stop(): void {
    this.#stopped = true;
  }

  async all(): Promise<void> {
    let logs: Logs = {};
    try {
      await this.#callbacks.trainBegin(this);
      for (let epoch = this.initialEpoch; epoch < this.epochs && !this.#stopped; epoch++) {
        this.#signal?.throwIfAborted();
        await this.#callbacks.epochBegin(epoch, this);
        logs = { ...(await this.#train(epoch)), ...(await this.#validate()) };
        await this.#callbacks.epochEnd(epoch, logs, this);
      }
      await this.#callbacks.trainEnd(logs, this);
    } catch (error) {
      await this.#callbacks.trainFailed(error, this);
      throw error;
    }
  }

  async #train(epoch: number): Promise<Logs> {
    const { stepsPerCall, stepsPerEpoch, trainingRows, batchSize, shuffle, classWeights } = this.#plan;
    let done: NativeProgress = { samples: 0, loss: 0, accuracy: 0, topK: 0, steps: 0 };
    let seconds = 0;
    while (done.steps < stepsPerEpoch) {
      const before = done;
      const started = performance.now();
      const progressOf = (part: NativeProgress): EpochProgress => {
        const all = joined(before, part);
        return {
          epoch,
          steps: before.steps + part.steps,
          samples: all.samples,
          seconds: seconds + (performance.now() - started) / 1000,
          logs: logsOf(all, this.#compiled.metrics),
        };
      };
      const run = await this.#core.run('fit', this.#signal, () =>
        this.#core.native.train(
          {
            data: this.#loaded.data,
            begin: 0,
            end: trainingRows,
            batchSize,
            epoch,
            shuffle,
            learningRate: this.#core.learningRate,
            firstStep: before.steps,
            maxSteps: stepsPerCall,
            ...(classWeights === undefined ? {} : { classWeights }),
          },
          (part) => this.#callbacks.progress(progressOf(part), this),
        ),
      );
      this.streamed ||= run.streamed;
      const progress = progressOf(run);
      seconds = progress.seconds;
      done = { ...joined(before, run), steps: before.steps + run.steps };
      this.#callbacks.progress(progress, this);
      if (stepsPerCall > 0) await this.#callbacks.stepsEnd(progress, this);
      if (this.#stopped) break;
    }
    return logsOf(done, this.#compiled.metrics);
  }

  async #validate(): Promise<Logs> {
    if (this.#validation === null) return {};
    const { loaded, begin, batchSize } = this.#validation;
    const rows = { data: loaded.data, begin, end: loaded.rows, batchSize: Math.min(batchSize, loaded.rows - begin) };
    const run = await this.#core.run('fit', this.#signal, () => this.#core.native.evaluate(rows, null));
    const logs = logsOf(run, this.#compiled.metrics);
    return Object.fromEntries(Object.entries(logs).map(([name, value]) => [`val_${name}`, value]));
  }
}
