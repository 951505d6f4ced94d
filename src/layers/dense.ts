import { boolean, checkedOptions, positiveInteger } from '../arguments.js';
import type { NativeParameterSpec } from '../native.js';
import { type ActivationName, activationName } from './activation-names.js';
import { checkedInitializer, type Initializer, nativeInitializer } from './initializers.js';
import { type BuiltLayer, checkedParameters, elements, type Features, frozen, Layer, numericShape } from './layer.js';

export interface DenseOptions {
  /** Width of the output. */
  readonly units: number;
  /** Default `'linear'`. */
  readonly activation?: ActivationName;
  /** Default true. */
  readonly useBias?: boolean;
  /** Default `'glorotUniform'`. */
  readonly kernelInitializer?: Initializer;
  /** Default `'zeros'`. */
  readonly biasInitializer?: Initializer;
  /** Default true. */
  readonly trainable?: boolean;
  readonly name?: string;
}

export type DenseConfig = Readonly<Required<Omit<DenseOptions, 'name'>>>;

/** `[K]` to `[units]`, `[T, K]` to `[T, units]`. Arrays: `kernel [K, units]`, `bias [units]`. */
export class Dense extends Layer<DenseConfig> {
  readonly kind = 'dense';

  constructor(options: DenseOptions) {
    const given = checkedOptions(
      options,
      ['units', 'activation', 'useBias', 'kernelInitializer', 'biasInitializer', 'trainable', 'name'],
      'layers.dense',
    );
    const { activation = 'linear', useBias = true, kernelInitializer = 'glorotUniform' } = given;
    const { biasInitializer = 'zeros', trainable = true } = given;
    super(given.name, {
      units: positiveInteger(given.units, 'units'),
      activation: activationName(activation, 'activation'),
      useBias: boolean(useBias, 'useBias'),
      kernelInitializer: checkedInitializer(kernelInitializer, 'kernelInitializer'),
      biasInitializer: checkedInitializer(biasInitializer, 'biasInitializer'),
      trainable: boolean(trainable, 'trainable'),
    });
  }

  override build(name: string, input: Features): BuiltLayer {
    const shape = numericShape(input, name);
    const { units, activation, useBias, trainable } = this.config;
    const leading = shape.slice(0, -1);
    const width = shape.at(-1) as number;
    const parameters: NativeParameterSpec[] = [
      {
        name: `${name}/kernel`,
        shape: [width, units],
        initializer: nativeInitializer(this.config.kernelInitializer),
        trainable,
      },
    ];
    if (useBias) {
      const initializer = nativeInitializer(this.config.biasInitializer);
      parameters.push({ name: `${name}/bias`, shape: [units], initializer, trainable });
    }
    elements([...leading, units], `the output of layer ${name}`);
    return {
      spec: { kind: this.kind, name, units, activation, useBias, parameters: checkedParameters(parameters) },
      output: { shape: [...leading, units], tokens: false, maskedBy: input.maskedBy },
      presets: [],
      macs: elements([...leading, width], `the input of layer ${name}`) * units,
    };
  }
}

/**
 * `activation(x @ kernel + bias)` over the last axis.
 *
 * @throws InvalidArgumentError for options that are missing, unknown or out of range.
 */
export function dense(options: DenseOptions): Dense {
  return frozen(new Dense(options));
}
