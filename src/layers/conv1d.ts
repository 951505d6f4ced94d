import { boolean, checkedOptions, choice, positiveInteger } from '../arguments.js';
import { InvalidModelError } from '../errors.js';
import type { NativeParameterSpec } from '../native.js';
import { type ActivationName, activationName } from './activation-names.js';
import { checkedInitializer, type Initializer, nativeInitializer } from './initializers.js';
import {
  type BuiltLayer,
  checkedParameters,
  elements,
  type Features,
  frozen,
  Layer,
  refuseMask,
  sequenceShape,
} from './layer.js';

export type ConvolutionPadding = 'valid' | 'same' | 'causal';

export interface Conv1dOptions {
  /** Width of the output. */
  readonly filters: number;
  /** Steps that one output step sees. */
  readonly kernelSize: number;
  /** Default 1. */
  readonly strides?: number;
  /** `'valid'` (the default) adds nothing; `'same'` pads on both sides and `'causal'` in front, so that T stays (at strides 1). */
  readonly padding?: ConvolutionPadding;
  /** Distance between the steps that a filter sees. Default 1. */
  readonly dilationRate?: number;
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

export type Conv1dConfig = Readonly<Required<Omit<Conv1dOptions, 'name'>>>;

/** `[T, C]` to `[T out, filters]`. Arrays: `kernel [kernelSize, C, filters]`, `bias [filters]`. */
export class Conv1d extends Layer<Conv1dConfig> {
  readonly kind = 'conv1d';

  constructor(options: Conv1dOptions) {
    const given = checkedOptions(
      options,
      [
        'filters',
        'kernelSize',
        'strides',
        'padding',
        'dilationRate',
        'activation',
        'useBias',
        'kernelInitializer',
        'biasInitializer',
        'trainable',
        'name',
      ],
      'layers.conv1d',
    );
    const { strides = 1, padding = 'valid', dilationRate = 1, activation = 'linear' } = given;
    const { useBias = true, kernelInitializer = 'glorotUniform', biasInitializer = 'zeros', trainable = true } = given;
    super(given.name, {
      filters: positiveInteger(given.filters, 'filters'),
      kernelSize: positiveInteger(given.kernelSize, 'kernelSize'),
      strides: positiveInteger(strides, 'strides'),
      padding: choice(padding, 'padding', ['valid', 'same', 'causal']),
      dilationRate: positiveInteger(dilationRate, 'dilationRate'),
      activation: activationName(activation, 'activation'),
      useBias: boolean(useBias, 'useBias'),
      kernelInitializer: checkedInitializer(kernelInitializer, 'kernelInitializer'),
      biasInitializer: checkedInitializer(biasInitializer, 'biasInitializer'),
      trainable: boolean(trainable, 'trainable'),
    });
  }

  override build(name: string, input: Features): BuiltLayer {
    const [steps, channels] = sequenceShape(input, name);
    refuseMask(input, name);
    const { filters, kernelSize, strides, padding, dilationRate, activation, useBias, trainable } = this.config;
    const outSteps = this.#outputSteps(name, steps);
    const parameters: NativeParameterSpec[] = [
      {
        name: `${name}/kernel`,
        shape: [kernelSize, channels, filters],
        initializer: nativeInitializer(this.config.kernelInitializer),
        trainable,
      },
    ];
    if (useBias) {
      const initializer = nativeInitializer(this.config.biasInitializer);
      parameters.push({ name: `${name}/bias`, shape: [filters], initializer, trainable });
    }
    elements([outSteps, filters], `the output of layer ${name}`);
    return {
      spec: {
        kind: this.kind,
        name,
        filters,
        kernelSize,
        strides,
        dilationRate,
        padding,
        activation,
        useBias,
        parameters: checkedParameters(parameters),
      },
      output: { shape: [outSteps, filters], tokens: false, maskedBy: null },
      presets: [],
      macs: outSteps * kernelSize * channels * filters,
    };
  }

  #outputSteps(name: string, steps: number): number {
    const { kernelSize, strides, padding, dilationRate } = this.config;
    if (padding !== 'valid') return Math.ceil(steps / strides);
    const span = (kernelSize - 1) * dilationRate + 1;
    if (span > steps) {
      throw new InvalidModelError(
        `Expected a kernel that fits the sequence of ${steps} steps for layer ${name} but its kernel spans ${span}; ` +
          `use a smaller kernelSize${dilationRate > 1 ? ' or dilationRate' : ''}, longer sequences or padding: 'same'`,
      );
    }
    return Math.floor((steps - span) / strides) + 1;
  }
}

/**
 * Convolution along the steps of a sequence, `[N, T, C]` to `[N, T out, filters]`.
 *
 * @throws InvalidArgumentError for options that are missing, unknown or out of range.
 */
export function conv1d(options: Conv1dOptions): Conv1d {
  return frozen(new Conv1d(options));
}
