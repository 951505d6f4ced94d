/** The devices a model may run on, and why the others cannot be used. */

import { DeviceError, InvalidArgumentError } from './errors.js';
import { expectation } from './expectation.js';
import { loadNative } from './load-native.js';
import type { NativeAddon, NativeCuda, NativeCudaDevice } from './native.js';
import { nearestName } from './nearest-name.js';
import type { Precision } from './precision.js';

export interface Device {
  /** What `sequential` takes as `device`. */
  readonly name: string;
  readonly usable: boolean;
  /** What it is, such as `AVX-512, 2 cores`; null where it cannot be used. */
  readonly description: string | null;
  /** Why it cannot be used and what to do; null where it can. */
  readonly reason: string | null;
}

/** All devices that `sequential` knows, the best usable one first. */
export function devices(): readonly Device[] {
  const addon = loadNative();
  const gpus = gpuDevices(addon.cuda());
  return [...gpus.filter(({ usable }) => usable), cpuDevice(addon), ...gpus.filter(({ usable }) => !usable)];
}

function cpuDevice(addon: NativeAddon): Device {
  const { target, cores } = addon.cpu();
  const description = `${target}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
  return { name: 'cpu', usable: true, description, reason: null };
}

/** One for each GPU, or `cuda` alone, where there is none, with the reason. */
function gpuDevices({ devices, reason }: NativeCuda): Device[] {
  if (devices.length === 0) return [{ name: 'cuda', usable: false, description: null, reason }];
  return devices.map((device) => ({
    name: `cuda:${device.index}`,
    usable: device.reason === null,
    description: device.reason === null ? gpuInWords(device) : null,
    reason: device.reason,
  }));
}

/** Such as `NVIDIA H200, compute capability 9.0, 139.8 GiB`. */
export function gpuInWords({ name, computeCapability, memory }: NativeCudaDevice): string {
  return `${name}, compute capability ${computeCapability}, ${(memory / 2 ** 30).toFixed(1)} GiB`;
}

const names = ['auto', 'cpu', 'cuda'] as const;

/**
 * The device that is meant, `'auto'` resolved: `cpu` or `cuda:<index>`.
 *
 * @throws InvalidArgumentError for what names no device.
 * @throws DeviceError for one that cannot be used; the message says why and what to do.
 */
export function checkedDevice(value: unknown): string {
  if (value === 'cpu') return value;
  if (value === 'auto') return bestDevice(loadNative());
  if (typeof value === 'string' && /^cuda(:\d+)?$/.test(value)) return usableGpu(value, loadNative().cuda());
  const message = expectation("'auto', 'cpu', 'cuda' or 'cuda:<index>'", 'device', value);
  throw new InvalidArgumentError(
    typeof value === 'string' ? `${message}; did you mean ${nearestName(value, names)}?` : message,
  );
}

/** Without a driver a packed library is left as it is: to unpack it takes time and memory, and it could say no more. */
function bestDevice(addon: NativeAddon): string {
  if (addon.packedCuda()?.driver === false) return 'cpu';
  return firstUsableGpu(addon.cuda()) ?? 'cpu';
}

function firstUsableGpu({ devices }: NativeCuda): string | undefined {
  const usable = devices.find(({ reason }) => reason === null);
  return usable && `cuda:${usable.index}`;
}

/** `'cuda'` means the first GPU that can be used. */
function usableGpu(name: string, cuda: NativeCuda): string {
  const meant = name === 'cuda' ? firstUsableGpu(cuda) : name;
  const device = cuda.devices.find(({ index }) => `cuda:${index}` === meant);
  if (device?.reason === null) return `cuda:${device.index}`;
  const there = cuda.devices.map(({ index }) => `cuda:${index}`).join(', ');
  const reason =
    device?.reason ?? (meant === undefined || there === '' ? cuda.reason : `this machine has ${there} alone`);
  throw new DeviceError(
    `Cannot use device ${name}: ${reason}; or use device 'cpu', or 'auto', which takes the best there is`,
  );
}

/**
 * What a device computes in that is asked for a precision: one that has not got it, as the CPU and older GPUs, in
 * float32. `device` is what {@link checkedDevice} gave.
 */
export function precisionOn(device: string, asked: Precision): Precision {
  return gpuOf(loadNative(), device)?.precisions.includes(asked) === true ? asked : 'float32';
}

function gpuOf(addon: NativeAddon, device: string): NativeCudaDevice | undefined {
  return device === 'cpu' ? undefined : addon.cuda().devices.find(({ index }) => `cuda:${index}` === device);
}

/**
 * Such as `cpu (AVX-512, 2 threads)` or `cuda:0 (NVIDIA H200, compute capability 9.0, 139.8 GiB)`, with the precision
 * where it is not float32. `device` is what {@link checkedDevice} gave; `threads` 0 stands for one thread for each core.
 */
export function deviceDescription(addon: NativeAddon, device: string, threads: number, asked: Precision): string {
  const gpu = gpuOf(addon, device);
  if (gpu !== undefined) {
    const precision = precisionOn(device, asked);
    return `${device} (${gpuInWords(gpu)}${precision === 'float32' ? '' : `, ${precision}`})`;
  }
  const { target, cores } = addon.cpu();
  const count = threads === 0 ? cores : threads;
  return `cpu (${target}, ${count} ${count === 1 ? 'thread' : 'threads'})`;
}

/** Whether SLIM_LSTM_LOG asks for what devices do. */
function isTold(): boolean {
  return process.env.SLIM_LSTM_LOG?.split(',').includes('device') === true;
}

let announced = false;

/**
 * Says once, on standard error, what `'auto'` took, and why no GPU where it took none, where SLIM_LSTM_LOG asks for
 * `device`. Unasked it would disturb the programs this package is part of; `model.device` and `summary()` tell it at any
 * time.
 */
export function announceChoice(addon: NativeAddon, description: string): void {
  if (announced || !isTold()) return;
  announced = true;
  const { reason } = addon.cuda();
  process.stderr.write(`slim-lstm: device 'auto' is ${description}${reason === null ? '' : `; no GPU: ${reason}`}\n`);
}

let streamingAnnounced = false;

/** Says once, on standard error, that data goes to the device batch by batch, where SLIM_LSTM_LOG asks for `device`. */
export function announceStreaming(): void {
  if (streamingAnnounced || !isTold()) return;
  streamingAnnounced = true;
  process.stderr.write(
    "slim-lstm: a data set does not fit into the device's memory beside the model; its batches are sent one by one\n",
  );
}
