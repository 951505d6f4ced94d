/** The metrics that `compile` takes and the numbers they give. */

import { checkedOptions, choice, positiveInteger } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { NativeMetrics } from '../native.js';
import type { LossName } from './losses.js';

/**
 * `'accuracy'`: part of the samples whose class is right; for the binary loss, outputs above 0.5 that match.
 * `'topKCategoricalAccuracy'` or `{ topK: k }`: part of the samples whose class is among the k (5) largest outputs.
 */
export type Metric = 'accuracy' | 'topKCategoricalAccuracy' | { readonly topK: number };

/** Numbers by name: `loss`, then the metrics as they were named; of validation data with `val_` in front. */
export type Logs = Record<string, number>;

export interface Metrics {
  readonly accuracy: boolean;
  /** 0 where it was not asked for. */
  readonly topK: number;
}

const DEFAULT_TOP_K = 5;

/** @throws InvalidArgumentError for unknown metrics and such as the loss has not. */
export function resolveMetrics(value: unknown, loss: LossName, outputs: number): Metrics {
  if (!Array.isArray(value)) throw new InvalidArgumentError(expectation('an array of metrics', 'metrics', value));
  let accuracy = false;
  let topK = 0;
  for (const metric of value as unknown[]) {
    if (typeof metric === 'object' && metric !== null) {
      const given = checkedOptions(metric as { topK?: number }, ['topK'], 'a metric');
      topK = distinct(topK, positiveInteger(given.topK, 'topK'));
    } else if (choice(metric, 'metric', ['accuracy', 'topKCategoricalAccuracy']) === 'accuracy') {
      accuracy = true;
    } else {
      topK = distinct(topK, DEFAULT_TOP_K);
    }
  }
  const categorical = loss === 'sparseCategoricalCrossentropy' || loss === 'categoricalCrossentropy';
  if (accuracy && loss === 'meanSquaredError') {
    throw new InvalidArgumentError('Expected no metric accuracy with loss meanSquaredError, which knows no classes');
  }
  if (topK > 0 && !categorical) {
    throw new InvalidArgumentError(
      `Expected no metric topKCategoricalAccuracy with loss ${loss}, which has no classes to rank`,
    );
  }
  if (topK > outputs) {
    throw new InvalidArgumentError(
      `${expectation('a number of classes to be found among', 'topK', topK)}; the model has ${outputs} outputs`,
    );
  }
  return { accuracy, topK };
}

function distinct(before: number, topK: number): number {
  if (before !== 0 && before !== topK) {
    throw new InvalidArgumentError(`Expected one metric topKCategoricalAccuracy but received ${before} and ${topK}`);
  }
  return topK;
}

/** The names of what `logsOf` gives, in its order. */
export function metricNames({ accuracy, topK }: Metrics): string[] {
  return ['loss', ...(accuracy ? ['accuracy'] : []), ...(topK > 0 ? ['topKCategoricalAccuracy'] : [])];
}

export function logsOf(run: NativeMetrics, metrics: Metrics): Logs {
  const logs: Logs = { loss: run.loss };
  if (metrics.accuracy) logs.accuracy = run.accuracy;
  if (metrics.topK > 0) logs.topKCategoricalAccuracy = run.topK;
  return logs;
}

/** The means over two runs together. */
export function joined(a: NativeMetrics, b: NativeMetrics): NativeMetrics {
  const samples = a.samples + b.samples;
  if (samples === 0) return b;
  const mean = (first: number, second: number) => (first * a.samples + second * b.samples) / samples;
  return {
    samples,
    loss: a.samples === 0 ? b.loss : mean(a.loss, b.loss),
    accuracy: a.samples === 0 ? b.accuracy : mean(a.accuracy, b.accuracy),
    topK: a.samples === 0 ? b.topK : mean(a.topK, b.topK),
  };
}
