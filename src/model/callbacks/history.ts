import type { Logs } from '../metrics.js';
import type { Callback, EpochProgress, Training } from './callback.js';

/** What a run of `fit` gave, epoch by epoch. */
export interface History {
  /** The epochs that ran, counted from 0. */
  readonly epoch: readonly number[];
  /** One number for each epoch by name: `loss`, `accuracy`, `val_loss`, `val_accuracy` and what callbacks added. */
  readonly history: Readonly<Record<string, readonly number[]>>;
  /** Training samples per second of each epoch, validation and callbacks left out. */
  readonly samplesPerSecond: readonly number[];
  /**
   * True where the training data did not fit into the device's memory beside the model and was sent to it batch by batch;
   * a smaller model or batch, or another device, may be faster. The results are the same.
   */
  readonly streamed: boolean;
}

/** Collects what `fit` returns; given as a callback it can be read while the run goes on. */
export class HistoryCallback implements Callback, History {
  readonly epoch: number[] = [];
  readonly history: Record<string, number[]> = {};
  readonly samplesPerSecond: number[] = [];
  streamed = false;
  #progress: EpochProgress | null = null;

  onTrainBegin(): void {
    this.epoch.length = 0;
    this.samplesPerSecond.length = 0;
    this.streamed = false;
    for (const name of Object.keys(this.history)) delete this.history[name];
  }

  onEpochBegin(): void {
    this.#progress = null;
  }

  onProgress(progress: EpochProgress): void {
    this.#progress = progress;
  }

  onEpochEnd(epoch: number, logs: Logs, training: Training): void {
    this.streamed = training.streamed;
    // A number that came only now is not a number for the epochs before.
    for (const name of Object.keys(logs)) this.history[name] ??= this.epoch.map(() => Number.NaN);
    this.epoch.push(epoch);
    for (const [name, values] of Object.entries(this.history)) values.push(logs[name] ?? Number.NaN);
    this.samplesPerSecond.push(this.#progress === null ? Number.NaN : this.#progress.samples / this.#progress.seconds);
  }
}

export function history(): Callback & History {
  return new HistoryCallback();
}
