import type { Callback } from '../model/callbacks/callback.js';

/** The learning rate of the first epoch, whatever the initial rate: the published code sets its rates from then on. */
export const FIRST_LEARNING_RATE = 1e-3;

/**
 * The learning rate of Lu 2016 (arXiv 1612.03707): after each epoch the initial rate times exp(training loss), so that
 * it falls towards the initial rate as the loss falls. The paper does not speak of the first epoch, in which its code
 * runs RMSprop with Keras' default of 1e-3.
 */
export function lossSchedule(initialRate: number): Callback {
  return {
    onTrainBegin({ model }) {
      model.learningRate = FIRST_LEARNING_RATE;
    },
    onEpochEnd(_epoch, logs, { model }) {
      logs.learning_rate = model.learningRate;
      model.learningRate = initialRate * Math.exp(logs.loss ?? 0);
    },
  };
}
