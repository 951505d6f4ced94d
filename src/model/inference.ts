/** The jobs besides training: evaluate, predict, gradients. */

import { boolean, checkedOptions, positiveInteger } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import type { Float32Tensor, TensorLike } from '../tensor.js';
import { type Loaded, loadDataset } from './dataset.js';
import { type Logs, logsOf } from './metrics.js';
import type { ModelCore } from './model-core.js';
import { checkedSignal } from './signal.js';

export interface JobOptions {
  /** Rows that are worked on together: a matter of memory and speed alone. Default 32. */
  readonly batchSize?: number;
  /** Ends the job within one step; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface GradientOptions extends JobOptions {
  /** True: with dropout, the masks being those of the training step that comes next. Default false. */
  readonly training?: boolean;
  /** True: the result also has `input`, d loss / d x; for inputs that are numbers. Default false. */
  readonly input?: boolean;
}

const DEFAULT_BATCH_SIZE = 32;

function batchSizeOf(options: JobOptions, rows: number, usual: number): number {
  return Math.min(rows, options.batchSize === undefined ? usual : positiveInteger(options.batchSize, 'batchSize'));
}

/** Has `work` done on a data set that is there for it alone, while the model takes no other job. */
async function onDataset<Result>(
  core: ModelCore,
  job: 'evaluate' | 'predict' | 'gradients',
  load: () => Promise<Loaded>,
  work: (loaded: Loaded) => Promise<Result>,
): Promise<Result> {
  const leave = core.gate.enter(job);
  try {
    const loaded = await load();
    try {
      return await work(loaded);
    } finally {
      loaded.data.dispose();
    }
  } finally {
    leave();
  }
}

export async function evaluate(
  core: ModelCore,
  x: TensorLike,
  y: TensorLike,
  options: JobOptions | undefined,
): Promise<Logs> {
  const given = checkedOptions(options, ['batchSize', 'signal'], 'evaluate');
  const { targets, metrics } = core.requireCompiled('evaluate');
  const signal = checkedSignal(given.signal);
  const load = () => loadDataset(core.addon, core.architecture, x, { y, form: targets }, signal);
  return onDataset(core, 'evaluate', load, async ({ data, rows }) => {
    const batchSize = batchSizeOf(given, rows, DEFAULT_BATCH_SIZE);
    const run = await core.run('evaluate', signal, () =>
      core.native.evaluate({ data, begin: 0, end: rows, batchSize }, null),
    );
    return logsOf(run, metrics);
  });
}

/**
 * @param encode gives x once the model is taken, so that no other job comes between; where it gives it at once, the
 *   shapes are checked before the caller can go on
 */
export async function predict(
  core: ModelCore,
  encode: (signal: AbortSignal | undefined) => TensorLike | Promise<TensorLike>,
  options: JobOptions | undefined,
): Promise<Float32Tensor> {
  const given = checkedOptions(options, ['batchSize', 'signal'], 'predict');
  const signal = checkedSignal(given.signal);
  const load = async () => {
    const encoded = encode(signal);
    const x = encoded instanceof Promise ? await encoded : encoded;
    return loadDataset(core.addon, core.architecture, x, null, signal);
  };
  return onDataset(core, 'predict', load, async ({ data, rows }) => {
    const batchSize = batchSizeOf(given, rows, DEFAULT_BATCH_SIZE);
    const { outputs } = await core.run('predict', signal, () =>
      core.native.predict({ data, begin: 0, end: rows, batchSize }),
    );
    return { data: outputs, shape: [rows, ...core.architecture.outputShape] };
  });
}

export async function gradients(
  core: ModelCore,
  x: TensorLike,
  y: TensorLike,
  options: GradientOptions | undefined,
): Promise<Record<string, Float32Tensor>> {
  const given = checkedOptions(options, ['batchSize', 'signal', 'training', 'input'], 'gradients');
  const { targets } = core.requireCompiled('gradients');
  const signal = checkedSignal(given.signal);
  const training = boolean(given.training ?? false, 'training');
  const input = boolean(given.input ?? false, 'input');
  if (input && core.architecture.vocabulary > 0) {
    throw new InvalidArgumentError('Expected input: false for a model that reads token ids, which have no gradient');
  }
  const load = () => loadDataset(core.addon, core.architecture, x, { y, form: targets }, signal);
  return onDataset(core, 'gradients', load, async ({ data, rows }) => {
    // All rows are one batch unless told otherwise: that is what the gradient of the mean loss is of.
    const batchSize = batchSizeOf(given, rows, rows);
    const result = await core.run('gradients', signal, () =>
      core.native.gradients({ data, begin: 0, end: rows, batchSize }, { training, input }),
    );
    const named: Record<string, Float32Tensor> = {};
    for (const { name, shape, trainable, offset, size } of core.native.parameters()) {
      if (trainable) named[name] = { data: result.gradients.slice(offset, offset + size), shape };
    }
    if (result.input !== null) {
      named.input = { data: result.input, shape: [rows, ...core.architecture.inputShape] };
    }
    return named;
  });
}
