/** The optimizers, with the names, defaults and update rules of Keras 3. */

import { boolean, checkedOptions, choice, finiteNumber, nonNegativeNumber, positiveNumber } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { NativeTrainingSpec } from '../native.js';

export type OptimizerKind = NativeTrainingSpec['optimizer']['kind'];

/** What all optimizers take. At most one of the three clippings may be given. */
export interface ClippingOptions {
  /** Each array's gradient is scaled down to this norm at the most. */
  readonly clipnorm?: number;
  /** All gradients together are scaled down to this norm at the most. */
  readonly globalClipnorm?: number;
  /** Every element of a gradient is clipped to [-clipvalue, clipvalue]. */
  readonly clipvalue?: number;
}

export interface SgdOptions extends ClippingOptions {
  /** Default 0.01. */
  readonly learningRate?: number;
  /** In [0, 1]. Default 0. */
  readonly momentum?: number;
  /** Default false. */
  readonly nesterov?: boolean;
}

export interface RmspropOptions extends ClippingOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Decay of the mean of squared gradients. Default 0.9. */
  readonly rho?: number;
  /** In [0, 1]. Default 0. */
  readonly momentum?: number;
  /** Default 1e-7. */
  readonly epsilon?: number;
  /** True: the gradient's mean is taken off, its variance scales. Default false. */
  readonly centered?: boolean;
}

export interface AdamOptions extends ClippingOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-7. */
  readonly epsilon?: number;
  /** Default false. */
  readonly amsgrad?: boolean;
}

export interface AdamwOptions extends AdamOptions {
  /** Decoupled from the gradient; for all trainable weights. Default 0.004. */
  readonly weightDecay?: number;
}

/** A checked, frozen description; the state lives with the model that is compiled with it. */
export class Optimizer {
  readonly kind: OptimizerKind;
  /** Where the learning rate begins; `model.learningRate` is what it is now. */
  readonly learningRate: number;
  /** The rest of the options, defaults filled in. */
  readonly config: Readonly<Record<string, number | boolean>>;

  constructor(kind: OptimizerKind, learningRate: number, config: Record<string, number | boolean>) {
    this.kind = kind;
    this.learningRate = learningRate;
    this.config = Object.freeze(config);
    Object.freeze(this);
  }

  toJSON(): Record<string, unknown> {
    return { kind: this.kind, learningRate: this.learningRate, ...this.config };
  }
}

const clippings = ['clipnorm', 'globalClipnorm', 'clipvalue'] as const;

function checkedClipping(options: ClippingOptions): Record<string, number> {
  const given = clippings.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new InvalidArgumentError(
      `Expected at most one of ${clippings.join(', ')} but received ${given.join(' and ')}`,
    );
  }
  return Object.fromEntries(given.map((name) => [name, positiveNumber(options[name], name)]));
}

/** In [0, 1). */
function decay(value: unknown, name: string): number {
  const number = nonNegativeNumber(value, name);
  if (number >= 1) throw new InvalidArgumentError(expectation('a number of 0 or more and below 1', name, value));
  return number;
}

function momentumOf(value: unknown): number {
  const number = nonNegativeNumber(value, 'momentum');
  if (number > 1) throw new InvalidArgumentError(expectation('a number from 0 to 1', 'momentum', value));
  return number;
}

/** @throws InvalidArgumentError for unknown options and numbers out of range. */
function sgd(options?: SgdOptions): Optimizer {
  const given = checkedOptions(options, ['learningRate', 'momentum', 'nesterov', ...clippings], 'optimizers.sgd');
  return new Optimizer('sgd', nonNegativeNumber(given.learningRate ?? 0.01, 'learningRate'), {
    momentum: momentumOf(given.momentum ?? 0),
    nesterov: boolean(given.nesterov ?? false, 'nesterov'),
    ...checkedClipping(given),
  });
}

/** @throws InvalidArgumentError for unknown options and numbers out of range. */
function rmsprop(options?: RmspropOptions): Optimizer {
  const given = checkedOptions(
    options,
    ['learningRate', 'rho', 'momentum', 'epsilon', 'centered', ...clippings],
    'optimizers.rmsprop',
  );
  return new Optimizer('rmsprop', nonNegativeNumber(given.learningRate ?? 0.001, 'learningRate'), {
    rho: decay(given.rho ?? 0.9, 'rho'),
    momentum: momentumOf(given.momentum ?? 0),
    epsilon: nonNegativeNumber(given.epsilon ?? 1e-7, 'epsilon'),
    centered: boolean(given.centered ?? false, 'centered'),
    ...checkedClipping(given),
  });
}

function adamConfig(given: AdamOptions): Record<string, number | boolean> {
  return {
    beta1: decay(given.beta1 ?? 0.9, 'beta1'),
    beta2: decay(given.beta2 ?? 0.999, 'beta2'),
    epsilon: nonNegativeNumber(given.epsilon ?? 1e-7, 'epsilon'),
    amsgrad: boolean(given.amsgrad ?? false, 'amsgrad'),
    ...checkedClipping(given),
  };
}

/** @throws InvalidArgumentError for unknown options and numbers out of range. */
function adam(options?: AdamOptions): Optimizer {
  const given = checkedOptions(
    options,
    ['learningRate', 'beta1', 'beta2', 'epsilon', 'amsgrad', ...clippings],
    'optimizers.adam',
  );
  return new Optimizer('adam', nonNegativeNumber(given.learningRate ?? 0.001, 'learningRate'), adamConfig(given));
}

/** @throws InvalidArgumentError for unknown options and numbers out of range. */
function adamw(options?: AdamwOptions): Optimizer {
  const given = checkedOptions(
    options,
    ['learningRate', 'beta1', 'beta2', 'epsilon', 'amsgrad', 'weightDecay', ...clippings],
    'optimizers.adamw',
  );
  return new Optimizer('adamw', nonNegativeNumber(given.learningRate ?? 0.001, 'learningRate'), {
    ...adamConfig(given),
    weightDecay: nonNegativeNumber(given.weightDecay ?? 0.004, 'weightDecay'),
  });
}

/** `optimizers.adam({ learningRate: 1e-3 })` and so on, for `compile`. */
export const optimizers = Object.freeze({ sgd, rmsprop, adam, adamw });

const kinds = Object.keys(optimizers) as OptimizerKind[];

/**
 * What `compile` was given: an optimizer, or the name of one with its defaults.
 *
 * @throws InvalidArgumentError for an unknown name (with the nearest one) and anything else.
 */
export function resolveOptimizer(value: unknown): Optimizer {
  if (value instanceof Optimizer) return value;
  if (typeof value === 'string') return optimizers[choice(value, 'optimizer', kinds)]();
  throw new InvalidArgumentError(
    expectation(`an optimizer of optimizers.${kinds.join(', optimizers.')}, or its name`, 'optimizer', value),
  );
}

/** The optimizer that {@link Optimizer.toJSON} described; nothing in `json` is trusted. */
export function optimizerFromJSON(json: Record<string, unknown>): Optimizer {
  const { kind, ...options } = json;
  return optimizers[choice(kind, 'optimizer.kind', kinds)](options);
}

/** As the engine takes it; a clipping that is off is 0. */
export function nativeOptimizer({ kind, config }: Optimizer): NativeTrainingSpec['optimizer'] {
  const { clipnorm = 0, globalClipnorm = 0, clipvalue = 0, ...rule } = config;
  return {
    kind,
    ...rule,
    clipNorm: finiteNumber(clipnorm, 'clipnorm'),
    globalClipNorm: finiteNumber(globalClipnorm, 'globalClipnorm'),
    clipValue: finiteNumber(clipvalue, 'clipvalue'),
  };
}
