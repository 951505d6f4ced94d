/** The native addon's face (`native/addon/`); nothing outside `src/model`, `src/timing` and `src/devices.ts` uses it. */

import type { Precision } from './precision.js';

/**
 * Blocks of columns out of draws `[rows, columns]`, in place of one draw over the array's own shape: an array
 * `[rows, w * blocks]`, or with `asRows` `[blocks, rows]`, each block one column. A draw is one of this array, or of the
 * array `ofEarlier` places before it, by its number; what has the same number is the same draw.
 */
export interface NativeDrawnBlocks {
  readonly columns: number;
  readonly blocks: readonly { readonly draw: number; readonly column: number }[];
  readonly asRows: boolean;
  readonly ofEarlier: number;
}

/** An initializer as the native side takes it; unused fields are left out. */
export interface NativeInitializer {
  readonly kind:
    | 'zeros'
    | 'ones'
    | 'constant'
    | 'uniform'
    | 'normal'
    | 'glorotUniform'
    | 'glorotNormal'
    | 'heUniform'
    | 'heNormal'
    | 'orthogonal'
    | 'lstmBias';
  readonly value?: number;
  readonly low?: number;
  readonly high?: number;
  readonly mean?: number;
  readonly stddev?: number;
  readonly gain?: number;
  readonly fanIn?: number;
  readonly fanOut?: number;
  /** lstmBias: elements `onesFrom` to `onesTo - 1` are 1, the rest 0. */
  readonly onesFrom?: number;
  readonly onesTo?: number;
  readonly drawn?: NativeDrawnBlocks;
}

export interface NativeParameterSpec {
  /** `<layer>/<array>`, in bidirectional `<layer>/forward/<array>`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: NativeInitializer;
  readonly trainable: boolean;
}

export type NativeActivation = 'linear' | 'relu' | 'tanh' | 'sigmoid' | 'hardSigmoid' | 'softmax';

export type NativeBlock =
  | { readonly input: boolean; readonly recurrent: 'none' | 'full' | 'diagonal'; readonly bias: boolean }
  | { readonly constant: number };

export interface NativeLstm {
  readonly units: number;
  /** Blocks in the order i, f, c, o. */
  readonly blocks: readonly [NativeBlock, NativeBlock, NativeBlock, NativeBlock];
  readonly activation: NativeActivation;
  readonly recurrentActivation: 'sigmoid' | 'hardSigmoid';
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly returnSequences: boolean;
  readonly goBackwards: boolean;
  readonly implementation: 'auto' | 'slim' | 'cudnn';
}

/** One layer of a model, as plain data. `parameters` are in the order named in `native/program/spec.h`. */
export type NativeLayerSpec = {
  readonly name: string;
  readonly parameters: readonly NativeParameterSpec[];
} & (
  | { readonly kind: 'embedding'; readonly inputDim: number; readonly outputDim: number; readonly maskZero: boolean }
  | {
      readonly kind: 'conv1d';
      readonly filters: number;
      readonly kernelSize: number;
      readonly strides: number;
      readonly dilationRate: number;
      readonly padding: 'valid' | 'same' | 'causal';
      readonly activation: NativeActivation;
      readonly useBias: boolean;
    }
  | {
      readonly kind: 'maxPooling1d';
      readonly poolSize: number;
      readonly strides: number;
      readonly padding: 'valid' | 'same';
    }
  | { readonly kind: 'globalMaxPooling1d'; readonly keepDims: boolean }
  | { readonly kind: 'dropout'; readonly rate: number }
  | { readonly kind: 'spatialDropout1d'; readonly rate: number }
  | ({ readonly kind: 'lstm' } & NativeLstm)
  | {
      readonly kind: 'bidirectional';
      readonly forward: NativeLstm;
      readonly backward: NativeLstm;
      readonly mergeMode: 'concat' | 'sum' | 'mul' | 'ave';
    }
  | {
      readonly kind: 'dense';
      readonly units: number;
      readonly activation: NativeActivation;
      readonly useBias: boolean;
    }
  | { readonly kind: 'activation'; readonly activation: NativeActivation }
  | { readonly kind: 'flatten' }
);

export interface NativeModelSpec {
  readonly tokenInput: boolean;
  /** Without the batch: `[T]` for tokens, otherwise `[T, m]` or `[K]`. */
  readonly inputShape: readonly number[];
  readonly layers: readonly NativeLayerSpec[];
}

export interface NativeTrainingSpec {
  readonly optimizer: {
    readonly kind: 'sgd' | 'rmsprop' | 'adam' | 'adamw';
    readonly momentum?: number;
    readonly nesterov?: boolean;
    readonly rho?: number;
    readonly centered?: boolean;
    readonly beta1?: number;
    readonly beta2?: number;
    readonly amsgrad?: boolean;
    readonly epsilon?: number;
    readonly weightDecay?: number;
    /** 0: off. */
    readonly clipNorm?: number;
    readonly globalClipNorm?: number;
    readonly clipValue?: number;
  };
  readonly loss:
    | 'sparseCategoricalCrossentropy'
    | 'categoricalCrossentropy'
    | 'binaryCrossentropy'
    | 'meanSquaredError';
  /** 0: not asked for. */
  readonly topK: number;
}

/** Means over the samples of a run. */
export interface NativeMetrics {
  readonly samples: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly topK: number;
}

export interface NativeProgress extends NativeMetrics {
  /** Steps done of this call. */
  readonly steps: number;
}

export interface NativeRun extends NativeProgress {
  /** True where `abort()` ended the run early: the model is as after the last whole step. */
  readonly aborted: boolean;
  /** True where the data set has no place on the device, to which its batches came one by one. */
  readonly streamed: boolean;
}

/**
 * Rows of inputs and targets in the engine's memory. They are copied in by slices (so that no slice holds up the event
 * loop for long) and checked on the way, so that no later change of the caller's arrays can harm a run.
 */
export interface NativeDataset {
  /**
   * Appends whole rows. Returns -1, or the index in `values` of the first element that cannot be taken: a token id
   * outside [0, vocabulary), a number that is not finite; then nothing of the slice was appended.
   */
  appendInputs(values: Int32Array | Float32Array): number;
  /** The same for targets: class ids outside [0, classes), numbers that are not finite. */
  appendTargets(values: Int32Array | Float32Array): number;
  dispose(): void;
}

export interface NativeDatasetOptions {
  readonly rows: number;
  /** Elements of a row of inputs. */
  readonly inputWidth: number;
  /** Above 0: inputs are int32 ids below this; 0: inputs are float32. */
  readonly vocabulary: number;
  /** Elements of a row of targets; 0: no targets. */
  readonly targetWidth: number;
  /** Above 0: targets are int32 class ids below this; 0: float32. */
  readonly classes: number;
}

/** Rows [begin, end) of a data set, in batches. */
export interface NativeRows {
  readonly data: NativeDataset;
  readonly begin: number;
  readonly end: number;
  readonly batchSize: number;
}

export interface NativeTrainJob extends NativeRows {
  readonly epoch: number;
  readonly shuffle: boolean;
  readonly learningRate: number;
  /** The first step to do of the epoch, and how many at the most (0: to its end). */
  readonly firstStep: number;
  readonly maxSteps: number;
  /** Factor of a sample's loss by its class. */
  readonly classWeights?: Float32Array;
}

export interface NativeModel {
  /** In the order of the layers; `offset` is in floats in the buffer of `readParameters`. */
  parameters(): { name: string; shape: number[]; trainable: boolean; offset: number; size: number }[];
  readParameters(): Float32Array;
  writeParameters(offset: number, values: Float32Array): void;
  /** Sets optimizer and loss; the optimizer's state starts anew. */
  compile(training: NativeTrainingSpec): void;
  /**
   * Iterations done, and the optimizer's arrays one after the other, each holding the trainable parameters in order and
   * without the gaps that readParameters has.
   */
  readOptimizer(): { iterations: number; state: Float32Array };
  writeOptimizer(iterations: number, state: Float32Array): void;
  /**
   * Bytes of device memory: parameters, gradients, optimizer state, planned activations, and what there is of data: copies
   * of data sets, orders of their rows, a batch on its way.
   */
  memory(): { parameters: number; gradients: number; optimizer: number; activations: number; data: number };
  /** The jobs: one at a time (ERR_BUSY otherwise), on the engine's own thread. */
  train(job: NativeTrainJob, onProgress: ((progress: NativeProgress) => void) | null): Promise<NativeRun>;
  evaluate(rows: NativeRows, onProgress: ((progress: NativeProgress) => void) | null): Promise<NativeRun>;
  /** Outputs `[rows, ...]`, flat; `aborted` and `streamed` as in a NativeRun. */
  predict(rows: NativeRows): Promise<{ outputs: Float32Array; aborted: boolean; streamed: boolean }>;
  /** Gradients of the mean loss over the rows (batches are weighted by their size), in the layout of readParameters,
   * zeros for what is frozen; `input` [rows, inputWidth] where asked for and the inputs are float32. */
  gradients(
    rows: NativeRows,
    options: { readonly training: boolean; readonly input: boolean },
  ): Promise<{
    gradients: Float32Array;
    input: Float32Array | null;
    loss: number;
    aborted: boolean;
    streamed: boolean;
  }>;
  /** Ends the running job within one step. */
  abort(): void;
  /** Frees the native memory; a running job is ended first, its promise resolves as aborted. */
  dispose(): void;
}

/** A GPU as the driver tells of it. */
export interface NativeCudaDevice {
  readonly index: number;
  readonly name: string;
  /** Such as `9.0`. */
  readonly computeCapability: string;
  readonly multiprocessors: number;
  /** Bytes. */
  readonly memory: number;
  /** What it computes in. */
  readonly precisions: readonly Precision[];
  /** Why it cannot be used and what to do; null where it can. */
  readonly reason: string | null;
}

/** A library of NVIDIA's that is opened at run time; the device works without it, slower. */
export interface NativeCudaLibrary {
  readonly name: string;
  readonly version: string | null;
  readonly path: string | null;
  /** Why it is not used and what to do; null where it is. */
  readonly reason: string | null;
}

/** What stands between this machine and a usable GPU. Null stands for what is not known. */
export interface NativeCuda {
  /** Where the CUDA library was looked for. */
  readonly path: string | null;
  readonly opened: boolean;
  /** Why no GPU can be used and what to do; null where one can. */
  readonly reason: string | null;
  /** The driver's own version, such as `580.65.06`. */
  readonly driver: string | null;
  /** The newest CUDA version the driver serves, and the one the library was built with. */
  readonly driverCuda: string | null;
  readonly runtimeCuda: string | null;
  /** What the library was compiled for, in CMake's notation. */
  readonly architectures: string | null;
  readonly devices: readonly NativeCudaDevice[];
  readonly libraries: readonly NativeCudaLibrary[];
}

/** The CUDA library as the package carries it, where nobody opened it yet. */
export interface NativePackedCuda {
  readonly path: string;
  /** Whether the driver's library is there; where it is not, the CUDA library has no more to tell than that. */
  readonly driver: boolean;
}

/** A device, and how it is to work. */
export interface NativeDevice {
  readonly device: string;
  /** Of the CPU; 0: one for each core. */
  readonly threads: number;
  readonly precision: Precision;
}

/** What is timed beside one another: layers that read the same and give the same. */
export interface NativeTimingOptions extends NativeDevice {
  readonly seed: number;
  /** Token ids that the models read, in rows of T; null: they read random numbers. */
  readonly data: NativeDataset | null;
  readonly batch: number;
  /** The backward pass gives the gradient of the numbers that are read. */
  readonly inputGradient: boolean;
  /** Turns of each model before those that count. */
  readonly warmups: number;
  readonly rounds: number;
}

export interface NativeTimings {
  /** Such as `cpu (AVX-512, 2 threads)`. */
  readonly device: string;
  /** Milliseconds of each turn: forward pass of inference; forward and backward pass of training. */
  readonly models: readonly { readonly forward: Float64Array; readonly training: Float64Array }[];
  readonly aborted: boolean;
}

export interface NativeTiming {
  readonly result: Promise<NativeTimings>;
  /** Ends the run within one pass, its promise resolves as aborted; frees what it holds. */
  dispose(): void;
}

export interface NativeAddon {
  readonly apiVersion: number;
  /** The CPU device: instruction set chosen, such as `AVX-512`. */
  cpu(): { target: string; cores: number };
  /**
   * The CUDA device: the library is opened by the first call, the answer stays the same. Where `packedCuda` names a file,
   * that call takes its unpacked `contents`, empty where they cannot be had; wrapAddon sees to it.
   */
  cuda(contents?: Uint8Array): NativeCuda;
  /** The packed library that `cuda` is to open; null where it needs no unpacking, or none any more. */
  packedCuda(): NativePackedCuda | null;
  createModel(spec: NativeModelSpec, options: NativeDevice & { readonly seed: number }): NativeModel;
  createDataset(options: NativeDatasetOptions): NativeDataset;
  /** Times models without a loss, turn by turn, on a thread of its own; `steps` of the progress counts all turns. */
  timeLayers(
    specs: readonly NativeModelSpec[],
    options: NativeTimingOptions,
    onProgress: ((progress: NativeProgress) => void) | null,
  ): NativeTiming;
  /** For tests: the first `count` elements of a dropout mask, 0 or 1 / (1 - rate). */
  dropoutMask(options: {
    readonly seed: number;
    readonly step: number;
    readonly stream: number;
    readonly count: number;
    readonly rate: number;
  }): Float32Array;
}

/** What the addon answers for `apiVersion`; raised with every change of the interfaces above. */
export const API_VERSION = 6;
