/** The devices a model may run on, and why the others cannot be used. */

import { DeviceError, InvalidArgumentError } from './errors.js';
import { expectation } from './expectation.js';
import { loadNative, type NativeAddon } from './native.js';
import { nearestName } from './nearest-name.js';

export interface Device {
  /** What `sequential` takes as `device`. */
  readonly name: string;
  readonly usable: boolean;
  /** What it is, such as `AVX-512, 2 cores`; null where it cannot be used. */
  readonly description: string | null;
  /** Why it cannot be used and what to do; null where it can. */
  readonly reason: string | null;
}

const noCuda =
  "this build of slim-lstm has no CUDA library, so it runs on the CPU alone; use device 'cpu', or 'auto', which takes the best there is";

/** All devices that `sequential` knows, the best usable one first. */
export function devices(): readonly Device[] {
  const { target, cores } = loadNative().cpu();
  const description = `${target}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
  return [
    { name: 'cpu', usable: true, description, reason: null },
    { name: 'cuda', usable: false, description: null, reason: noCuda },
  ];
}

const names = ['auto', 'cpu', 'cuda'] as const;

/**
 * The device that is meant, `'auto'` resolved.
 *
 * @throws InvalidArgumentError for what names no device.
 * @throws DeviceError for one that cannot be used; the message says why and what to do.
 */
export function checkedDevice(value: unknown): string {
  if (value === 'cpu' || value === 'auto') return 'cpu';
  if (typeof value === 'string' && /^cuda(:\d+)?$/.test(value)) {
    throw new DeviceError(`Cannot use device ${value}: ${noCuda}`);
  }
  const message = expectation("'auto', 'cpu', 'cuda' or 'cuda:<index>'", 'device', value);
  throw new InvalidArgumentError(
    typeof value === 'string' ? `${message}; did you mean ${nearestName(value, names)}?` : message,
  );
}

/** Such as `cpu (AVX-512, 2 threads)`. `threads` 0 stands for one thread for each core. */
export function deviceDescription(addon: NativeAddon, threads: number): string {
  const { target, cores } = addon.cpu();
  const count = threads === 0 ? cores : threads;
  return `cpu (${target}, ${count} ${count === 1 ? 'thread' : 'threads'})`;
}

let announced = false;

/**
 * Says once, on standard error, what `'auto'` took, where SLIM_LSTM_LOG asks for `device`. Unasked it would disturb the
 * programs this package is part of; `model.device` and `summary()` tell it at any time.
 */
export function announceChoice(description: string): void {
  if (announced || process.env.SLIM_LSTM_LOG?.split(',').includes('device') !== true) return;
  announced = true;
  process.stderr.write(`slim-lstm: device 'auto' is ${description}\n`);
}
