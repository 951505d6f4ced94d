import { boolean, nonNegativeInteger } from '../../arguments.js';
import type { Tensor } from '../../tensor.js';
import type { Logs } from '../metrics.js';
import type { Callback, Training } from './callback.js';
import { Monitor, type MonitorOptions, monitorOptions, optionalNumber } from './monitor.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without improvement that are waited for. Default 0. */
  readonly patience?: number;
  /** An improvement only ends the waiting where it also beats this value. */
  readonly baseline?: number;
  /** True: at the end of the run the model has the weights of its best epoch again. Default false. */
  readonly restoreBestWeights?: boolean;
  /** Epochs before this one are not looked at. Default 0. */
  readonly startFromEpoch?: number;
}

class EarlyStopping implements Callback {
  readonly #monitor: Monitor;
  readonly #patience: number;
  readonly #baseline: number | null;
  readonly #restoreBestWeights: boolean;
  readonly #startFromEpoch: number;
  #best: number | null = null;
  #bestWeights: Record<string, Tensor> | null = null;
  #wait = 0;

  constructor(options?: EarlyStoppingOptions) {
    const given = monitorOptions(
      options,
      ['patience', 'baseline', 'restoreBestWeights', 'startFromEpoch'],
      'callbacks.earlyStopping',
    );
    this.#monitor = new Monitor(given);
    this.#patience = nonNegativeInteger(given.patience ?? 0, 'patience');
    this.#baseline = optionalNumber(given.baseline, 'baseline');
    this.#restoreBestWeights = boolean(given.restoreBestWeights ?? false, 'restoreBestWeights');
    this.#startFromEpoch = nonNegativeInteger(given.startFromEpoch ?? 0, 'startFromEpoch');
  }

  onTrainBegin({ metrics }: Training): void {
    this.#monitor.check(metrics);
    this.#best = null;
    this.#bestWeights = null;
    this.#wait = 0;
  }

  onEpochEnd(epoch: number, logs: Logs, training: Training): void {
    if (epoch < this.#startFromEpoch) return;
    const value = this.#monitor.value(logs);
    const improved = this.#monitor.improves(value, this.#best);
    if (this.#restoreBestWeights && (improved || this.#bestWeights === null)) {
      this.#bestWeights = training.model.weights();
    }
    this.#wait++;
    if (improved) {
      this.#best = value;
      if (this.#baseline === null || this.#monitor.improves(value, this.#baseline)) this.#wait = 0;
      return;
    }
    // Keras does not stop at the first epoch, whatever the patience.
    if (this.#wait >= this.#patience && epoch > 0) training.stop();
  }

  onTrainEnd(_logs: Logs, { model }: Training): void {
    if (this.#bestWeights !== null) model.setWeights(this.#bestWeights);
    this.#bestWeights = null;
  }

  onTrainFailed(): void {
    this.#bestWeights = null;
  }
}

/**
 * Ends the run when a number of the logs has not improved for `patience` epochs; rules and defaults are Keras'.
 *
 * @throws InvalidArgumentError for options out of range; `fit` rejects with one where it has no such number.
 */
export function earlyStopping(options?: EarlyStoppingOptions): Callback {
  return new EarlyStopping(options);
}
