import type { Logs } from '../metrics.js';
import type { Callback, EpochProgress, Training } from './callback.js';

/**
 * Ends the run once the training loss is NaN or infinite: after the epoch, or after the steps where `fit` was given
 * `stepsPerCall`.
 */
export function terminateOnNaN(): Callback {
  const check = (logs: Logs, training: Training) => {
    if (!Number.isFinite(logs.loss)) training.stop();
  };
  return {
    onStepsEnd: (progress: EpochProgress, training) => check(progress.logs, training),
    onEpochEnd: (_epoch, logs, training) => check(logs, training),
  };
}
