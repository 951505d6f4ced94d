/** What `fit` tells and asks while it runs. */

import type { Logs } from '../metrics.js';
import type { Model } from '../sequential.js';

/** A run of `fit`, as callbacks see it. */
export interface Training {
  readonly model: Model;
  /** Index after the last epoch. */
  readonly epochs: number;
  readonly initialEpoch: number;
  readonly stepsPerEpoch: number;
  readonly samples: number;
  readonly batchSize: number;
  /** The names that `logs` of onEpochEnd will have. */
  readonly metrics: readonly string[];
  /**
   * True once training data was found not to fit into the device's memory beside the model: its batches are then sent
   * one by one, while the device works. This changes no result. False on the CPU.
   */
  readonly streamed: boolean;
  /** Ends the run after this epoch, or after these steps where `stepsPerCall` was given. `fit` resolves as usual. */
  stop(): void;
}

export interface EpochProgress {
  readonly epoch: number;
  /** Steps and samples done of this epoch. */
  readonly steps: number;
  readonly samples: number;
  readonly seconds: number;
  /** Means over the samples done. */
  readonly logs: Logs;
}

/**
 * All functions may be async; `fit` waits for them, but for onProgress. What one throws ends the run: `fit` rejects with
 * it and the model is as after the last whole step. Epochs count from 0. Between epochs, that is in all functions but
 * onProgress, the model may be used: weights, setWeights, save, evaluate, predict, gradients, learningRate.
 */
export interface Callback {
  onTrainBegin?(training: Training): void | Promise<void>;
  onEpochBegin?(epoch: number, training: Training): void | Promise<void>;
  /** While the engine works, every so often, and at the end of an epoch's training; meant for display. */
  onProgress?(progress: EpochProgress, training: Training): void;
  /** After every `stepsPerCall` steps, where `fit` was given that option. */
  onStepsEnd?(progress: EpochProgress, training: Training): void | Promise<void>;
  /** `logs` may be added to; numbers added show in the history. */
  onEpochEnd?(epoch: number, logs: Logs, training: Training): void | Promise<void>;
  /** After the last epoch. */
  onTrainEnd?(logs: Logs, training: Training): void | Promise<void>;
  /** In place of onTrainEnd, where the run ends by an error or the signal. */
  onTrainFailed?(error: unknown, training: Training): void | Promise<void>;
}
