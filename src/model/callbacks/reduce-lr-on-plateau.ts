import { nonNegativeInteger, nonNegativeNumber, positiveNumber } from '../../arguments.js';
import { InvalidArgumentError } from '../../errors.js';
import { expectation } from '../../expectation.js';
import type { Logs } from '../metrics.js';
import type { Callback, Training } from './callback.js';
import { Monitor, type MonitorOptions, monitorOptions } from './monitor.js';

export interface ReduceLROnPlateauOptions extends MonitorOptions {
  /** What the learning rate is multiplied by; below 1. Default 0.1. */
  readonly factor?: number;
  /** Epochs without improvement that are waited for. Default 10. */
  readonly patience?: number;
  /** Epochs after a reduction that are not looked at. Default 0. */
  readonly cooldown?: number;
  /** Default 0. */
  readonly minLearningRate?: number;
}

class ReduceLROnPlateau implements Callback {
  readonly #monitor: Monitor;
  readonly #factor: number;
  readonly #patience: number;
  readonly #cooldown: number;
  readonly #minLearningRate: number;
  #best: number | null = null;
  #wait = 0;
  #cooling = 0;

  constructor(options?: ReduceLROnPlateauOptions) {
    const given = monitorOptions(
      options,
      ['factor', 'patience', 'cooldown', 'minLearningRate'],
      'callbacks.reduceLROnPlateau',
    );
    // Keras' default, unlike that of earlyStopping.
    this.#monitor = new Monitor({ minDelta: 1e-4, ...given });
    this.#factor = positiveNumber(given.factor ?? 0.1, 'factor');
    if (this.#factor >= 1) {
      throw new InvalidArgumentError(expectation('a positive number below 1', 'factor', given.factor));
    }
    this.#patience = nonNegativeInteger(given.patience ?? 10, 'patience');
    this.#cooldown = nonNegativeInteger(given.cooldown ?? 0, 'cooldown');
    this.#minLearningRate = nonNegativeNumber(given.minLearningRate ?? 0, 'minLearningRate');
  }

  onTrainBegin({ metrics }: Training): void {
    this.#monitor.check(metrics);
    this.#best = null;
    this.#wait = 0;
    this.#cooling = 0;
  }

  onEpochEnd(_epoch: number, logs: Logs, { model }: Training): void {
    logs.learning_rate = model.learningRate;
    const value = this.#monitor.value(logs);
    if (this.#cooling > 0) {
      this.#cooling--;
      this.#wait = 0;
    }
    if (this.#monitor.improves(value, this.#best)) {
      this.#best = value;
      this.#wait = 0;
      return;
    }
    if (this.#cooling > 0) return;
    this.#wait++;
    if (this.#wait < this.#patience || model.learningRate <= this.#minLearningRate) return;
    model.learningRate = Math.max(model.learningRate * this.#factor, this.#minLearningRate);
    this.#cooling = this.#cooldown;
    this.#wait = 0;
  }
}

/**
 * Lowers the learning rate when a number of the logs has not improved for `patience` epochs; rules and defaults are
 * Keras'. The logs tell the learning rate of each epoch as `learning_rate`.
 *
 * @throws InvalidArgumentError for options out of range; `fit` rejects with one where it has no such number.
 */
export function reduceLROnPlateau(options?: ReduceLROnPlateauOptions): Callback {
  return new ReduceLROnPlateau(options);
}
