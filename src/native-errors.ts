/**
 * The addon wrapped so that what it throws are this package's errors, on the stack of the JavaScript that called: the
 * addon itself throws plain errors with a `code`, and its promises reject from another thread, where there is no stack.
 * Its CUDA library is unpacked where that is asked for.
 */

import {
  BusyError,
  DeviceError,
  DisposedError,
  InvalidArgumentError,
  InvalidDataError,
  InvalidModelError,
  OutOfMemoryError,
  type SlimLstmError,
} from './errors.js';
import type {
  NativeAddon,
  NativeDataset,
  NativeModel,
  NativeProgress,
  NativeRows,
  NativeRun,
  NativeTiming,
  NativeTrainingSpec,
  NativeTrainJob,
} from './native.js';
import { openCuda } from './packed-cuda.js';

const classes: Readonly<Record<string, new (message: string) => SlimLstmError>> = {
  ERR_INVALID_ARGUMENT: InvalidArgumentError,
  ERR_INVALID_MODEL: InvalidModelError,
  ERR_INVALID_DATA: InvalidDataError,
  ERR_OUT_OF_MEMORY: OutOfMemoryError,
  ERR_DEVICE: DeviceError,
  ERR_DISPOSED: DisposedError,
  ERR_BUSY: BusyError,
};

/** The frames below a public call, to be given to an error that comes later. */
type CallSite = { stack?: string };

function callSite(below: CallableFunction): CallSite {
  const site: CallSite = {};
  Error.captureStackTrace(site, below);
  return site;
}

function converted(error: unknown, site: CallSite): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const Class = Object.hasOwn(classes, error.code) ? classes[error.code] : undefined;
  if (Class === undefined) return error;
  const result = new Class(error.message);
  const frames = site.stack?.slice(site.stack.indexOf('\n')) ?? '';
  result.stack = `${result.name}: ${result.message}${frames}`;
  return result;
}

function call<T>(below: CallableFunction, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw converted(error, callSite(below));
  }
}

/** The site is taken while the caller is still on the stack; `work` starts the job and answers with its promise. */
function callAsync<T>(below: CallableFunction, work: () => Promise<T>): Promise<T> {
  const site = callSite(below);
  try {
    return work().catch((error: unknown) => {
      throw converted(error, site);
    });
  } catch (error) {
    return Promise.reject(converted(error, site));
  }
}

type OnProgress = ((progress: NativeProgress) => void) | null;

/** Runs a job whose listener may throw: that ends the job and rejects its promise, and never reaches native code. */
async function listened<Result>(
  abort: () => void,
  onProgress: OnProgress,
  start: (listener: OnProgress) => Promise<Result>,
): Promise<Result> {
  if (typeof onProgress !== 'function') return start(onProgress);
  let failure: { readonly error: unknown } | undefined;
  const run = await start((progress) => {
    if (failure !== undefined) return;
    try {
      onProgress(progress);
    } catch (error) {
      failure = { error };
      abort();
    }
  });
  if (failure !== undefined) throw failure.error;
  return run;
}

class Dataset implements NativeDataset {
  readonly native: NativeDataset;

  constructor(native: NativeDataset) {
    this.native = native;
  }

  appendInputs(values: Int32Array | Float32Array): number {
    return call(this.appendInputs, () => this.native.appendInputs(values));
  }

  appendTargets(values: Int32Array | Float32Array): number {
    return call(this.appendTargets, () => this.native.appendTargets(values));
  }

  dispose(): void {
    this.native.dispose();
  }
}

/** With the addon's own data set in place of the wrapped one. */
function unwrapped<T extends { readonly data: NativeDataset | null }>(given: T): T {
  return given.data instanceof Dataset ? { ...given, data: given.data.native } : given;
}

class Model implements NativeModel {
  readonly #native: NativeModel;

  constructor(native: NativeModel) {
    this.#native = native;
  }

  parameters(): ReturnType<NativeModel['parameters']> {
    return call(this.parameters, () => this.#native.parameters());
  }

  readParameters(): Float32Array {
    return call(this.readParameters, () => this.#native.readParameters());
  }

  writeParameters(offset: number, values: Float32Array): void {
    call(this.writeParameters, () => this.#native.writeParameters(offset, values));
  }

  compile(training: NativeTrainingSpec): void {
    call(this.compile, () => this.#native.compile(training));
  }

  readOptimizer(): ReturnType<NativeModel['readOptimizer']> {
    return call(this.readOptimizer, () => this.#native.readOptimizer());
  }

  writeOptimizer(iterations: number, state: Float32Array): void {
    call(this.writeOptimizer, () => this.#native.writeOptimizer(iterations, state));
  }

  memory(): ReturnType<NativeModel['memory']> {
    return call(this.memory, () => this.#native.memory());
  }

  train(job: NativeTrainJob, onProgress: OnProgress): Promise<NativeRun> {
    return callAsync(this.train, () =>
      listened(
        () => this.abort(),
        onProgress,
        (listener) => this.#native.train(unwrapped(job), listener),
      ),
    );
  }

  evaluate(rows: NativeRows, onProgress: OnProgress): Promise<NativeRun> {
    return callAsync(this.evaluate, () =>
      listened(
        () => this.abort(),
        onProgress,
        (listener) => this.#native.evaluate(unwrapped(rows), listener),
      ),
    );
  }

  predict(rows: NativeRows): ReturnType<NativeModel['predict']> {
    return callAsync(this.predict, () => this.#native.predict(unwrapped(rows)));
  }

  gradients(
    rows: NativeRows,
    options: { readonly training: boolean; readonly input: boolean },
  ): ReturnType<NativeModel['gradients']> {
    return callAsync(this.gradients, () => this.#native.gradients(unwrapped(rows), options));
  }

  abort(): void {
    this.#native.abort();
  }

  dispose(): void {
    this.#native.dispose();
  }
}

/** Starts at once, or rejects. */
function timing(
  below: CallableFunction,
  addon: NativeAddon,
  [specs, options, onProgress]: Parameters<NativeAddon['timeLayers']>,
): NativeTiming {
  let native: NativeTiming | undefined;
  const dispose = () => native?.dispose();
  const result = callAsync(below, () =>
    listened(dispose, onProgress, (listener) => {
      native = addon.timeLayers(specs, unwrapped(options), listener);
      return native.result;
    }),
  );
  return { result, dispose };
}

export function wrapAddon(addon: NativeAddon): NativeAddon {
  const wrapped: NativeAddon = {
    apiVersion: addon.apiVersion,
    cpu: () => call(wrapped.cpu, () => addon.cpu()),
    cuda: () => call(wrapped.cuda, () => openCuda(addon)),
    packedCuda: () => call(wrapped.packedCuda, () => addon.packedCuda()),
    createModel: (spec, options) => call(wrapped.createModel, () => new Model(addon.createModel(spec, options))),
    createDataset: (options) => call(wrapped.createDataset, () => new Dataset(addon.createDataset(options))),
    timeLayers: (...args) => timing(wrapped.timeLayers, addon, args),
    dropoutMask: (options) => call(wrapped.dropoutMask, () => addon.dropoutMask(options)),
  };
  return wrapped;
}
