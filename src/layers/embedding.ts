import { boolean, checkedOptions, positiveInteger } from '../arguments.js';
import { InvalidArgumentError, InvalidModelError } from '../errors.js';
import { type TensorLike, toTensor } from '../tensor.js';
import { checkedInitializer, type Initializer, nativeInitializer } from './initializers.js';
import { type BuiltLayer, elements, type Features, frozen, Layer } from './layer.js';

export interface EmbeddingOptions {
  /** Size of the vocabulary: token ids are in [0, inputDim). */
  readonly inputDim: number;
  /** Width of a token's vector. */
  readonly outputDim: number;
  /** The vectors to begin with, `[inputDim, outputDim]`; copied. Without them the initializer draws. */
  readonly weights?: TensorLike;
  /** False: the vectors stay as they are. Default true. */
  readonly trainable?: boolean;
  /** True: id 0 is padding, which recurrent layers skip. Default false: padding is a token like any other. */
  readonly maskZero?: boolean;
  /** Default `'uniform'`, over [-0.05, 0.05). */
  readonly embeddingsInitializer?: Initializer;
  /** Length of the sequences; says the model's input shape where `sequential` is not given one. */
  readonly inputLength?: number;
  readonly name?: string;
}

export interface EmbeddingConfig {
  readonly inputDim: number;
  readonly outputDim: number;
  readonly trainable: boolean;
  readonly maskZero: boolean;
  readonly embeddingsInitializer: Initializer;
  readonly inputLength?: number;
}

/** Token ids `[T]` to vectors `[T, outputDim]`. Array: `embeddings [inputDim, outputDim]`. */
export class Embedding extends Layer<EmbeddingConfig> {
  readonly kind = 'embedding';
  readonly #weights: Float32Array | undefined;

  constructor(options: EmbeddingOptions) {
    const given = checkedOptions(
      options,
      ['inputDim', 'outputDim', 'weights', 'trainable', 'maskZero', 'embeddingsInitializer', 'inputLength', 'name'],
      'layers.embedding',
    );
    const { trainable = true, maskZero = false, embeddingsInitializer = 'uniform', inputLength } = given;
    super(given.name, {
      inputDim: positiveInteger(given.inputDim, 'inputDim'),
      outputDim: positiveInteger(given.outputDim, 'outputDim'),
      trainable: boolean(trainable, 'trainable'),
      maskZero: boolean(maskZero, 'maskZero'),
      embeddingsInitializer: checkedInitializer(embeddingsInitializer, 'embeddingsInitializer'),
      ...(inputLength === undefined ? {} : { inputLength: positiveInteger(inputLength, 'inputLength') }),
    });
    this.#weights = given.weights === undefined ? undefined : this.#checkedWeights(given.weights);
  }

  #checkedWeights(weights: TensorLike): Float32Array {
    const { data, shape } = toTensor(weights, 'float32', 'weights');
    const { inputDim, outputDim } = this.config;
    if (shape.length !== 2 || shape[0] !== inputDim || shape[1] !== outputDim) {
      throw new InvalidArgumentError(
        `Expected weights of shape [inputDim, outputDim] = [${inputDim}, ${outputDim}] but received shape [${shape.join(', ')}]`,
      );
    }
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw new InvalidArgumentError(
        `Expected finite numbers for weights but received ${data[bad]} in row ${Math.floor(bad / outputDim)}, column ${bad % outputDim}`,
      );
    }
    return Float32Array.from(data);
  }

  override build(name: string, input: Features): BuiltLayer {
    const { inputDim, outputDim, trainable, maskZero, embeddingsInitializer, inputLength } = this.config;
    const [steps] = input.shape;
    if (!input.tokens || steps === undefined) {
      throw new InvalidModelError(`Layer ${name} reads token ids, so it can only be the first layer of a model`);
    }
    if (inputLength !== undefined && inputLength !== steps) {
      throw new InvalidModelError(
        `Expected sequences of inputLength ${inputLength} for layer ${name} but received inputShape [${steps}]`,
      );
    }
    const parameter = `${name}/embeddings`;
    const shape = [inputDim, outputDim];
    elements(shape, parameter);
    elements([steps, outputDim], `the output of layer ${name}`);
    return {
      spec: {
        kind: this.kind,
        name,
        inputDim,
        outputDim,
        maskZero,
        parameters: [{ name: parameter, shape, initializer: nativeInitializer(embeddingsInitializer), trainable }],
      },
      output: { shape: [steps, outputDim], tokens: false, maskedBy: maskZero ? name : null },
      presets: this.#weights === undefined ? [] : [{ parameter, offset: 0, values: this.#weights }],
      macs: 0,
    };
  }
}

/**
 * Vectors for token ids, `[N, T]` to `[N, T, outputDim]`; the first layer of a network over text.
 *
 * @throws InvalidArgumentError for options that are missing, unknown or out of range, and weights of another shape.
 */
export function embedding(options: EmbeddingOptions): Embedding {
  return frozen(new Embedding(options));
}
