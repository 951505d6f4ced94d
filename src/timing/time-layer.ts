/** How long a recurrent layer takes on this machine, by itself: no loss, no update, nothing of JavaScript. */

import { boolean, checkedOptions, nonNegativeInteger, positiveInteger } from '../arguments.js';
import { cost } from '../cost.js';
import { checkedDevice } from '../devices.js';
import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { expectation } from '../expectation.js';
import { layers } from '../layers/index.js';
import type { LstmImplementation } from '../layers/lstm.js';
import { loadNative } from '../load-native.js';
import { type Architecture, arrange, nativeSpec } from '../model/architecture.js';
import { loadDataset } from '../model/dataset.js';
import { randomSeed } from '../model/seed.js';
import { checkedSignal } from '../model/signal.js';
import type { NativeDataset, NativeTimingOptions, NativeTimings } from '../native.js';
import { checkedPrecision, type Precision } from '../precision.js';
import { resolveVariant, type Variant, type VariantDefinition } from '../variants.js';
import { type PassFlops, passFlops } from './flops.js';

/** Batches that a caller has, so that the layer is timed behind an embedding, on the tokens it will meet. */
export interface TimedTokens {
  /** `[batches, B, T]`, row-major: whole batches, which take turns. Ids are in [0, vocabulary). */
  readonly ids: Int32Array;
  /** Rows of the embedding's table. */
  readonly vocabulary: number;
  /** True: id 0 is padding that the layer skips. Default false. */
  readonly maskZero?: boolean;
}

/** What of a layer all variants that are timed side by side share. */
export interface LayerTimingSetting {
  /** T, time steps of a sequence. */
  readonly steps: number;
  /** B, sequences of a batch. */
  readonly batch: number;
  /** m, width of the input; of the embedding where there are tokens. */
  readonly inputSize: number;
  /** n, width of the state. */
  readonly units: number;
  /** Default `'auto'`. */
  readonly device?: string;
  /** Of the CPU. Default: one for each core. */
  readonly threads?: number;
  /** Of products on a GPU. Default `'float32'`, in which the CPU computes whatever is asked for. */
  readonly precision?: Precision;
  /** Passes that are timed. Default 15. */
  readonly repeats?: number;
  /** Passes before those. Default 3. */
  readonly warmups?: number;
  /**
   * Whether the backward pass gives the gradient of the input; behind an embedding, of its table. Default: of a table
   * only, which a network learns, and not of numbers, which are its data.
   */
  readonly inputGradient?: boolean;
  /** Rate at which inputs are dropped in training. Default 0. */
  readonly dropout?: number;
  /** Rate at which the states that the recurrent terms read are dropped in training. Default 0. */
  readonly recurrentDropout?: number;
  /** True: the layer gives, and gets gradients for, all states; false (the default): the last one. */
  readonly returnSequences?: boolean;
  /** True: two directions, side by side. Default false. */
  readonly bidirectional?: boolean;
  /** Of the layer. Default `'auto'`. */
  readonly implementation?: LstmImplementation;
  /** Without them the layer reads random numbers. */
  readonly tokens?: TimedTokens;
  /** Of weights, numbers and dropout. Default: a random one. */
  readonly seed?: number;
  /** Ends the timing within one pass; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface LayerTimingOptions extends LayerTimingSetting {
  /** A published variant by name, or one of `defineVariant`. Default `'LSTM'`. */
  readonly variant?: string | VariantDefinition;
}

export interface LayerTiming {
  readonly variant: Variant;
  /** What it ran on, such as `cpu (AVX-512, 2 threads)`. */
  readonly device: string;
  /** Trainable numbers of the layer, of both directions where there are two; without an embedding's. */
  readonly parameters: number;
  /** Operations of the matrix products of a batch. */
  readonly flops: PassFlops;
  /** Milliseconds of the forward pass of inference, one for each repeat. */
  readonly forward: number[];
  /** Milliseconds of the forward pass of training with the backward pass. */
  readonly training: number[];
}

const settingNames = [
  'steps',
  'batch',
  'inputSize',
  'units',
  'device',
  'threads',
  'precision',
  'repeats',
  'warmups',
  'inputGradient',
  'dropout',
  'recurrentDropout',
  'returnSequences',
  'bidirectional',
  'implementation',
  'tokens',
  'seed',
  'signal',
] as const;

/**
 * Times a layer: `repeats` times its forward pass, and its forward pass with its backward pass. Each pass finds another
 * batch than the one before it, and ends before the clock is read. It runs on a thread of its own.
 *
 * Rejects with InvalidArgumentError for options that are missing, unknown or out of range, InvalidDataError for tokens
 * outside the vocabulary, InvalidModelError for sizes that overflow, OutOfMemoryError where the memory cannot be had,
 * DeviceError for a device that cannot be used.
 */
export async function timeLayer(options: LayerTimingOptions): Promise<LayerTiming> {
  const { variant = 'LSTM', ...setting } = checkedOptions(options, ['variant', ...settingNames], 'timeLayer');
  const [timing] = await timeLayers([variant], setting);
  return timing as LayerTiming;
}

/**
 * The same for several variants, which take turns: what else the machine does meets all alike. Every turn begins with a
 * pass that does not count.
 *
 * @param onProgress told how many of all turns are done, warm ones too
 */
export async function timeLayers(
  timed: readonly (string | VariantDefinition)[],
  setting: LayerTimingSetting,
  onProgress: ((turns: number, of: number) => void) | null = null,
): Promise<LayerTiming[]> {
  const given = checkedOptions(setting, settingNames, 'timeLayer');
  const variants = timed.map((variant) => resolveVariant(variant));
  const size = {
    steps: positiveInteger(given.steps, 'steps'),
    batch: positiveInteger(given.batch, 'batch'),
    inputSize: positiveInteger(given.inputSize, 'inputSize'),
    units: positiveInteger(given.units, 'units'),
    bidirectional: boolean(given.bidirectional ?? false, 'bidirectional'),
    inputGradient: boolean(given.inputGradient ?? given.tokens !== undefined, 'inputGradient'),
  };
  const rounds = positiveInteger(given.repeats ?? 15, 'repeats');
  const warmups = nonNegativeInteger(given.warmups ?? 3, 'warmups');
  const seed = nonNegativeInteger(given.seed ?? randomSeed(), 'seed');
  const threads = given.threads === undefined ? 0 : positiveInteger(given.threads, 'threads');
  const precision = checkedPrecision(given.precision ?? 'float32');
  const device = checkedDevice(given.device ?? 'auto');
  const architectures = variants.map((variant) => architectureOf(variant, { ...given, ...size }));
  const signal = checkedSignal(given.signal);
  const data = given.tokens === undefined ? null : await loadTokens(given.tokens, size, architectures, signal);
  try {
    const turns = variants.length * (warmups + rounds);
    const { device: description, models } = await run(
      architectures,
      {
        ...{ device, threads, precision, seed, data, warmups, rounds },
        batch: size.batch,
        inputGradient: size.inputGradient && data === null,
      },
      onProgress === null ? null : (done) => onProgress(done, turns),
      signal,
    );
    return variants.map((variant, i) => ({
      variant,
      device: description,
      parameters: cost(variant, size).parameters * (size.bidirectional ? 2 : 1),
      flops: passFlops(variant, size),
      forward: Array.from(models[i]?.forward ?? []),
      training: Array.from(models[i]?.training ?? []),
    }));
  } finally {
    data?.dispose();
  }
}

/** The layer, behind an embedding where there are tokens. */
function architectureOf(variant: Variant, setting: LayerTimingSetting): Architecture {
  const { steps, inputSize, units, dropout = 0, recurrentDropout = 0, returnSequences = false, tokens } = setting;
  const { implementation = 'auto' } = setting;
  const layer = layers.lstm({
    units,
    variant,
    dropout,
    recurrentDropout,
    returnSequences,
    implementation,
    // What the weights are does not matter, and to draw large orthogonal matrices takes longer than to time them.
    recurrentInitializer: 'glorotUniform',
  });
  const recurrent = setting.bidirectional ? layers.bidirectional(layer) : layer;
  if (tokens === undefined) return arrange([recurrent], [steps, inputSize]);
  const { vocabulary, maskZero = false } = checkedOptions(tokens, ['ids', 'vocabulary', 'maskZero'], 'tokens');
  const embedding = layers.embedding({
    inputDim: positiveInteger(vocabulary, 'tokens.vocabulary'),
    outputDim: inputSize,
    trainable: setting.inputGradient ?? true,
    maskZero: boolean(maskZero, 'tokens.maskZero'),
  });
  return arrange([embedding, recurrent], [steps]);
}

async function loadTokens(
  { ids }: TimedTokens,
  { batch, steps }: { readonly batch: number; readonly steps: number },
  [architecture]: readonly Architecture[],
  signal: AbortSignal | undefined,
): Promise<NativeDataset | null> {
  if (architecture === undefined) return null;
  if (!(ids instanceof Int32Array)) {
    throw new InvalidArgumentError(expectation('an Int32Array', 'tokens.ids', ids));
  }
  if (ids.length === 0 || ids.length % (batch * steps) !== 0) {
    throw new InvalidDataError(
      `Expected whole batches of ${batch} x ${steps} token ids for tokens.ids but received ${ids.length} ids`,
    );
  }
  const rows = { data: ids, shape: [ids.length / steps, steps] };
  return (await loadDataset(loadNative(), architecture, rows, null, signal, ['tokens.ids', ''])).data;
}

async function run(
  architectures: readonly Architecture[],
  options: NativeTimingOptions,
  onProgress: ((turns: number) => void) | null,
  signal: AbortSignal | undefined,
): Promise<NativeTimings> {
  signal?.throwIfAborted();
  const timing = loadNative().timeLayers(
    architectures.map(nativeSpec),
    options,
    onProgress === null ? null : ({ steps }) => onProgress(steps),
  );
  signal?.addEventListener('abort', timing.dispose, { once: true });
  try {
    const timings = await timing.result;
    signal?.throwIfAborted();
    return timings;
  } finally {
    signal?.removeEventListener('abort', timing.dispose);
    timing.dispose();
  }
}
