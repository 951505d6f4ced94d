import { checkedOptions, nonNegativeInteger, nonNegativeNumber, positiveInteger } from '../arguments.js';
import { announceChoice, checkedDevice, deviceDescription } from '../devices.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { Layer } from '../layers/layer.js';
import { loadNative } from '../load-native.js';
import type { NativeModelSpec } from '../native.js';
import { checkedPrecision, type Precision } from '../precision.js';
import type { Float32Tensor, TensorLike } from '../tensor.js';
import { type Architecture, arrange, nativeSpec } from './architecture.js';
import type { History } from './callbacks/history.js';
import { saveModel } from './checkpoint/save.js';
import { type FitOptions, fitModel } from './fit.js';
import { evaluate, type GradientOptions, gradients, type JobOptions, predict } from './inference.js';
import { type LossName, lossName } from './losses.js';
import { type Logs, type Metric, resolveMetrics } from './metrics.js';
import { ModelCore } from './model-core.js';
import { type Optimizer, type optimizers, resolveOptimizer } from './optimizers.js';
import { randomSeed } from './seed.js';
import { type SummaryOptions, summary } from './summary.js';
import { checkedTextPipeline, encodeTexts, isTexts, type TextPipeline } from './text-pipeline.js';
import { readWeights, writeWeights } from './weights.js';

export interface SequentialOptions {
  /**
   * A row of the data: `[steps]` where the first layer is an embedding, otherwise `[steps, features]` or `[features]`.
   * May be left out where the embedding has `inputLength`.
   */
  readonly inputShape?: readonly number[];
  /** `'auto'` (the default) takes the best device there is; `model.device` tells which. */
  readonly device?: string;
  /** Decides initial weights, order of rows and dropout. Default: a random one, which `model.seed` tells. */
  readonly seed?: number;
  /** Threads of the CPU device. Default: one for each core. The number changes no result. */
  readonly threads?: number;
  /**
   * How much of their float32 operands products keep on a GPU: `'float32'` (the default) all of it, `'tf32'` 11
   * significant bits, `'bfloat16'` 8; the fewer, the faster its matrix units multiply. Weights, states and sums stay
   * float32. It is saved with the model, which runs anywhere: the CPU, and GPUs before compute capability 8.0, compute in
   * float32 whatever is asked for, which keeps more than that.
   */
  readonly precision?: Precision;
}

export interface CompileOptions {
  /** Of `optimizers`, or the name of one with its defaults. */
  readonly optimizer: Optimizer | keyof typeof optimizers;
  readonly loss: LossName;
  /** Default: none but the loss. */
  readonly metrics?: readonly Metric[];
}

/** A network whose layers follow one another. Made by `sequential` and `loadModel`. */
export class Model {
  readonly #core: ModelCore;
  readonly #device: string;
  #text: Required<TextPipeline> | null = null;

  /** @internal Use `sequential`. */
  constructor(
    architecture: Architecture,
    options: Omit<SequentialOptions, 'inputShape'>,
    spec: NativeModelSpec = nativeSpec(architecture),
  ) {
    const { device = 'auto', seed = randomSeed(), threads, precision: asked = 'float32' } = options;
    const precision = checkedPrecision(asked);
    const addon = loadNative();
    const chosen = checkedDevice(device);
    const count = threads === undefined ? 0 : positiveInteger(threads, 'threads');
    nonNegativeInteger(seed, 'seed');
    const native = addon.createModel(spec, { device: chosen, threads: count, precision, seed });
    this.#core = new ModelCore(addon, native, architecture, { seed, precision });
    this.#device = deviceDescription(addon, chosen, count, precision);
    if (device === 'auto') announceChoice(addon, this.#device);
    const places = new Map(native.parameters().map(({ name, offset }) => [name, offset]));
    for (const { built } of architecture.layers) {
      for (const { parameter, offset, values } of built.presets) {
        native.writeParameters((places.get(parameter) as number) + offset, values);
      }
    }
  }

  get layers(): readonly Layer[] {
    return this.#core.architecture.layers.map(({ layer }) => layer);
  }

  /** A row of the inputs: `[T]` token ids, `[T, m]` or `[K]`. */
  get inputShape(): readonly number[] {
    return this.#core.architecture.inputShape;
  }

  /** A row of the outputs. */
  get outputShape(): readonly number[] {
    return this.#core.architecture.outputShape;
  }

  /** What the model runs on, such as `cpu (AVX-512, 2 threads)`, and in what precision where that is not float32. */
  get device(): string {
    return this.#device;
  }

  get seed(): number {
    return this.#core.seed;
  }

  /** The precision that was asked for; the CPU keeps more. */
  get precision(): Precision {
    return this.#core.precision;
  }

  /** The optimizer's step size; may be set at any time, also by callbacks, and holds from the next step the engine is given. */
  get learningRate(): number {
    this.#core.requireCompiled('learningRate');
    return this.#core.learningRate;
  }

  set learningRate(value: number) {
    this.#core.requireCompiled('learningRate');
    this.#core.learningRate = nonNegativeNumber(value, 'learningRate');
  }

  /** How raw text becomes token ids; with it `predict` takes texts, and it is saved with the model. */
  get text(): Required<TextPipeline> | null {
    return this.#text;
  }

  set text(pipeline: TextPipeline | null) {
    this.#core.gate.checkAlive('text');
    this.#text = pipeline === null ? null : checkedTextPipeline(pipeline, this.#core.architecture);
  }

  /**
   * Says what to learn and how. The optimizer begins anew; the weights stay.
   *
   * @throws InvalidArgumentError for unknown names (with the nearest one) and metrics that do not go with the loss.
   * @throws InvalidModelError where the loss cannot be taken of the model's outputs.
   */
  compile(options: CompileOptions): void {
    this.#core.gate.checkNoJob('compile');
    const given = checkedOptions(options, ['optimizer', 'loss', 'metrics'], 'compile');
    const optimizer = resolveOptimizer(given.optimizer);
    const loss = lossName(given.loss);
    const [outputs = 0] = this.outputShape;
    this.#core.compile(optimizer, loss, resolveMetrics(given.metrics ?? [], loss, outputs));
  }

  /**
   * Trains on rows of x `[N, ...inputShape]` and y: class ids `[N]` for the sparse loss, otherwise numbers `[N, C]`, or
   * `[N]` for a single output. The data is copied, slice by slice, before the first epoch begins; nothing that happens to
   * the arrays after that, nor a buffer that is taken away before, can harm the run.
   *
   * @throws InvalidDataError for data that cannot be used, naming row and position.
   * @throws InvalidArgumentError for unusable options; BusyError while another job runs.
   */
  fit(x: TensorLike, y: TensorLike, options?: FitOptions): Promise<History> {
    return fitModel(this, this.#core, x, y, options);
  }

  /** The means of loss and metrics over the rows, dropout off. Throws as `fit` does. */
  evaluate(x: TensorLike, y: TensorLike, options?: JobOptions): Promise<Logs> {
    return evaluate(this.#core, x, y, options);
  }

  /** The outputs `[N, ...outputShape]` for x, or for raw texts where `text` is set. Throws as `fit` does. */
  predict(x: TensorLike | readonly string[], options?: JobOptions): Promise<Float32Tensor> {
    const { architecture } = this.#core;
    return predict(
      this.#core,
      (signal) => (isTexts(x) ? encodeTexts(x, this.#text, architecture, signal) : x),
      options,
    );
  }

  /**
   * d (mean loss) / d weight of the trainable arrays by name, and with `input` of x; the model stays as it is. The loss
   * is the mean over all rows; with `training`, dropout's masks are those of a batch, which is all rows unless
   * `batchSize` says otherwise. Throws as `fit` does.
   */
  gradients(x: TensorLike, y: TensorLike, options?: GradientOptions): Promise<Record<string, Float32Tensor>> {
    return gradients(this.#core, x, y, options);
  }

  /** Copies of all arrays by name, `<layer>/<array>`. */
  weights(): Record<string, Float32Tensor> {
    this.#core.gate.checkIdle('weights');
    return readWeights(this.#core.native);
  }

  /**
   * Sets the arrays that are named; all or, where one is wrong, none.
   *
   * @throws InvalidArgumentError for unknown names (with the nearest one) and other shapes.
   */
  setWeights(weights: Readonly<Record<string, TensorLike>>): void {
    this.#core.gate.checkIdle('setWeights');
    writeWeights(this.#core.native, weights);
  }

  /** Prints the table of layers; returns it too. */
  summary(options?: SummaryOptions): string {
    this.#core.gate.checkAlive('summary');
    const { print = (line: string) => void process.stdout.write(`${line}\n`) } = checkedOptions(
      options,
      ['print'],
      'summary',
    );
    if (typeof print !== 'function') throw new InvalidArgumentError(expectation('a function', 'print', print));
    const text = summary(this.#core.architecture, this.#device, this.precision);
    for (const line of text.split('\n')) print(line);
    return text;
  }

  /**
   * Bytes of the device's memory by use. `data` are the orders of rows, and of a GPU while a job runs the copy of its data,
   * or the batch on its way there; the CPU reads data where it lies.
   */
  memory(): { parameters: number; gradients: number; optimizer: number; activations: number; data: number } {
    this.#core.gate.checkAlive('memory');
    return this.#core.native.memory();
  }

  /**
   * Writes the model to a folder: `model.json`, `weights.safetensors`, once compiled `optimizer.safetensors`, and with
   * `text` `vocabulary.json`. A model saved there before is replaced at the end, or stays whole if anything fails.
   *
   * @throws FileAccessError where it cannot be written, or where the folder holds other files.
   */
  save(path: string): Promise<void> {
    return saveModel(path, this.#core, this.#text);
  }

  /** Frees the native memory; a running job ends within one step and rejects. May be called more than once. */
  dispose(): void {
    this.#core.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal For `loadModel`. */
  static coreOf(model: Model): ModelCore {
    return model.#core;
  }
}

/**
 * A network of layers that follow one another, with fresh weights.
 *
 * @throws InvalidArgumentError for unusable options.
 * @throws InvalidModelError where a layer cannot take what the one before it gives.
 * @throws DeviceError for a device that cannot be used; OutOfMemoryError where the weights do not fit.
 */
export function sequential(layers: readonly Layer[], options?: SequentialOptions): Model {
  const given = checkedOptions(options, ['inputShape', 'device', 'seed', 'threads', 'precision'], 'sequential');
  return new Model(arrange(layers, given.inputShape), given);
}
