import { InvalidArgumentError } from '../../errors.js';
import { expectation } from '../../expectation.js';
import { nearestName } from '../../nearest-name.js';
import type { JobGate } from '../job-gate.js';
import type { Logs } from '../metrics.js';
import type { Callback, EpochProgress, Training } from './callback.js';

const hooks = [
  'onTrainBegin',
  'onEpochBegin',
  'onProgress',
  'onStepsEnd',
  'onEpochEnd',
  'onTrainEnd',
  'onTrainFailed',
] as const;

/** The callbacks of a run, called in their order, each waited for before the next. */
export class CallbackList {
  readonly #callbacks: readonly Callback[];
  readonly #gate: JobGate;
  #late: { readonly error: unknown } | null = null;

  constructor(callbacks: readonly Callback[], gate: JobGate) {
    this.#callbacks = callbacks;
    this.#gate = gate;
  }

  trainBegin(training: Training): Promise<void> {
    return this.#each((callback) => callback.onTrainBegin?.(training));
  }

  epochBegin(epoch: number, training: Training): Promise<void> {
    return this.#each((callback) => callback.onEpochBegin?.(epoch, training));
  }

  /** An async onProgress is not waited for, but what it rejects with ends the run at the next occasion. */
  progress(progress: EpochProgress, training: Training): void {
    this.#throwLate();
    for (const callback of this.#callbacks) {
      const result: unknown = callback.onProgress?.(progress, training);
      if (!(result instanceof Promise)) continue;
      result.catch((error: unknown) => {
        this.#late ??= { error };
      });
    }
  }

  stepsEnd(progress: EpochProgress, training: Training): Promise<void> {
    return this.#each((callback) => callback.onStepsEnd?.(progress, training));
  }

  epochEnd(epoch: number, logs: Logs, training: Training): Promise<void> {
    return this.#each((callback) => callback.onEpochEnd?.(epoch, logs, training));
  }

  trainEnd(logs: Logs, training: Training): Promise<void> {
    return this.#each((callback) => callback.onTrainEnd?.(logs, training));
  }

  /** What a callback throws now gives way to the error that ended the run. */
  async trainFailed(error: unknown, training: Training): Promise<void> {
    for (const callback of this.#callbacks) {
      await this.#gate.lend(async () => callback.onTrainFailed?.(error, training)).catch(() => undefined);
    }
  }

  async #each(call: (callback: Callback) => void | Promise<void>): Promise<void> {
    for (const callback of this.#callbacks) {
      this.#throwLate();
      await this.#gate.lend(async () => call(callback));
    }
  }

  #throwLate(): void {
    if (this.#late !== null) throw this.#late.error;
  }
}

/** @throws InvalidArgumentError for what is no callback, and for functions whose name begins with `on` and is unknown. */
export function checkedCallbacks(value: unknown): readonly Callback[] {
  if (!Array.isArray(value)) throw new InvalidArgumentError(expectation('an array', 'callbacks', value));
  return value.map((callback: unknown, i) => {
    if (typeof callback !== 'object' || callback === null) {
      throw new InvalidArgumentError(expectation('an object with functions', `callbacks[${i}]`, callback));
    }
    for (const key of Object.keys(callback)) {
      if (!/^on[A-Z]/.test(key) || (hooks as readonly string[]).includes(key)) continue;
      throw new InvalidArgumentError(
        `Unknown function ${key} of callbacks[${i}]; did you mean ${nearestName(key, hooks)}?`,
      );
    }
    return callback as Callback;
  });
}
