/** What callbacks share that watch one number for improvement; the rules are Keras'. */

import { checkedOptions, choice, finiteNumber, nonEmptyString, nonNegativeNumber } from '../../arguments.js';
import { InvalidArgumentError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';
import type { Logs } from '../metrics.js';

export type MonitorMode = 'auto' | 'min' | 'max';

export interface MonitorOptions {
  /** A name of the logs. Default `'val_loss'`. */
  readonly monitor?: string;
  /** Whether less or more is better; `'auto'` (the default) knows it of losses and of this package's metrics. */
  readonly mode?: MonitorMode;
  /** A change by less than this is no improvement. Default 0. */
  readonly minDelta?: number;
}

export class Monitor {
  readonly name: string;
  readonly #minDelta: number;
  readonly #sign: 1 | -1;

  constructor({ monitor = 'val_loss', mode = 'auto', minDelta = 0 }: MonitorOptions) {
    this.name = nonEmptyString(monitor, 'monitor');
    this.#minDelta = nonNegativeNumber(minDelta, 'minDelta');
    this.#sign = direction(this.name, choice(mode, 'mode', ['auto', 'min', 'max']));
  }

  /** @throws InvalidArgumentError where the run has no such number. */
  check(names: readonly string[]): void {
    if (names.includes(this.name)) return;
    const remedy = this.name.startsWith('val_') && !names.some((name) => name.startsWith('val_'));
    throw new InvalidArgumentError(
      `Expected one of ${names.join(', ')} for monitor but received ${this.name}; ` +
        (remedy ? 'give fit validationData or validationSplit' : `did you mean ${nearestName(this.name, names)}?`),
    );
  }

  value(logs: Logs): number {
    const value = logs[this.name];
    if (value === undefined) this.check(Object.keys(logs));
    return value as number;
  }

  /** Whether `value` is better than `reference` by more than minDelta; NaN never is. */
  improves(value: number, reference: number | null): boolean {
    if (Number.isNaN(value)) return false;
    return reference === null || this.#sign * (value - reference) > this.#minDelta;
  }
}

function direction(monitor: string, mode: MonitorMode): 1 | -1 {
  if (mode !== 'auto') return mode === 'max' ? 1 : -1;
  const metric = monitor.replace(/^val_/, '');
  if (metric === 'loss') return -1;
  if (metric === 'accuracy' || metric === 'topKCategoricalAccuracy') return 1;
  throw new InvalidArgumentError(
    `Expected mode 'min' or 'max' for monitor ${monitor}, of which it is not known whether less or more is better`,
  );
}

/** Used by callbacks that take a list of their own option names besides those of the monitor. */
export function monitorOptions<Options extends MonitorOptions>(
  options: Options | undefined,
  more: readonly (keyof Options & string)[],
  where: string,
): Options {
  return checkedOptions(options, ['monitor', 'mode', 'minDelta', ...more], where);
}

export function optionalNumber(value: unknown, name: string): number | null {
  return value === undefined || value === null ? null : finiteNumber(value, name);
}
