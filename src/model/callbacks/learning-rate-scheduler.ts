import { InvalidArgumentError } from '../../errors.js';
import { expectation } from '../../expectation.js';
import type { Callback } from './callback.js';

/** Takes the epoch (from 0) and the learning rate now, gives the learning rate for that epoch. */
export type LearningRateSchedule = (epoch: number, learningRate: number) => number;

/**
 * Sets `model.learningRate` before every epoch, and tells it in the logs as `learning_rate`.
 *
 * @throws InvalidArgumentError for what is no function; `fit` rejects with one where it gives no learning rate.
 */
export function learningRateScheduler(schedule: LearningRateSchedule): Callback {
  if (typeof schedule !== 'function') throw new InvalidArgumentError(expectation('a function', 'schedule', schedule));
  return {
    onEpochBegin: (epoch, { model }) => {
      model.learningRate = schedule(epoch, model.learningRate);
    },
    onEpochEnd: (_epoch, logs, { model }) => {
      logs.learning_rate = model.learningRate;
    },
  };
}
