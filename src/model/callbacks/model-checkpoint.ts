import { boolean, nonEmptyString } from '../../arguments.js';
import { InvalidArgumentError } from '../../errors.js';
import type { Logs } from '../metrics.js';
import type { Callback, Training } from './callback.js';
import { Monitor, type MonitorOptions, monitorOptions } from './monitor.js';

export interface ModelCheckpointOptions extends MonitorOptions {
  /** True: only an epoch that improves on all before is saved. Default false. */
  readonly saveBestOnly?: boolean;
}

class ModelCheckpoint implements Callback {
  readonly #path: string;
  readonly #saveBestOnly: boolean;
  readonly #monitor: Monitor;
  #best: number | null = null;

  constructor(path: string, options?: ModelCheckpointOptions) {
    const given = monitorOptions(options, ['saveBestOnly'], 'callbacks.modelCheckpoint');
    this.#path = nonEmptyString(path, 'path');
    this.#saveBestOnly = boolean(given.saveBestOnly ?? false, 'saveBestOnly');
    this.#monitor = new Monitor(given);
  }

  onTrainBegin({ metrics }: Training): void {
    if (this.#saveBestOnly) this.#monitor.check(metrics);
    for (const name of fieldNames(this.#path)) {
      if (name === 'epoch' || metrics.includes(name)) continue;
      throw new InvalidArgumentError(
        `Expected one of {epoch}, {${metrics.join('}, {')}} in the path of callbacks.modelCheckpoint but received {${name}}`,
      );
    }
    this.#best = null;
  }

  async onEpochEnd(epoch: number, logs: Logs, { model }: Training): Promise<void> {
    if (this.#saveBestOnly) {
      const value = this.#monitor.value(logs);
      if (!this.#monitor.improves(value, this.#best)) return;
      this.#best = value;
    }
    await model.save(filled(this.#path, epoch, logs));
  }
}

function fieldNames(path: string): string[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name as string);
}

function filled(path: string, epoch: number, logs: Logs): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === 'epoch' ? String(epoch + 1).padStart(3, '0') : (logs[name] as number).toFixed(4),
  );
}

/**
 * Saves the model, optimizer and all, after every epoch, or after those that are the best so far.
 *
 * @param path as for `model.save`; `{epoch}` (counted from 1, as 007) and `{val_loss}` or any other name of the logs in it
 *   are filled in. Without them each save replaces the one before.
 * @throws InvalidArgumentError for options out of range; `fit` rejects with one where it has no such number.
 */
export function modelCheckpoint(path: string, options?: ModelCheckpointOptions): Callback {
  return new ModelCheckpoint(path, options);
}
