import { earlyStopping } from './early-stopping.js';
import { history } from './history.js';
import { learningRateScheduler } from './learning-rate-scheduler.js';
import { modelCheckpoint } from './model-checkpoint.js';
import { progressLine } from './progress-line.js';
import { reduceLROnPlateau } from './reduce-lr-on-plateau.js';
import { terminateOnNaN } from './terminate-on-nan.js';

/** The callbacks for `fit` that come with the package; any object with functions of `Callback` will do as well. */
export const callbacks = Object.freeze({
  earlyStopping,
  history,
  learningRateScheduler,
  modelCheckpoint,
  progressLine,
  reduceLROnPlateau,
  terminateOnNaN,
});
