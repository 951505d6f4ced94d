import { checkedOptions, choice, positiveInteger } from '../arguments.js';
import { InvalidModelError } from '../errors.js';
import { type AffineOptions, affineConfig, affineOptionNames, affineParameters } from './affine.js';
import { type BuiltLayer, elements, type Features, frozen, Layer, refuseMask, sequenceShape } from './layer.js';

export type ConvolutionPadding = 'valid' | 'same' | 'causal';

export interface Conv1dOptions extends AffineOptions {
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
}

export type Conv1dConfig = Readonly<Required<Omit<Conv1dOptions, 'name'>>>;

/** `[T, C]` to `[T out, filters]`. Arrays: `kernel [kernelSize, C, filters]`, `bias [filters]`. */
export class Conv1d extends Layer<Conv1dConfig> {
  readonly kind = 'conv1d';

  constructor(options: Conv1dOptions) {
    const given = checkedOptions(
      options,
      ['filters', 'kernelSize', 'strides', 'padding', 'dilationRate', ...affineOptionNames],
      'layers.conv1d',
    );
    const { strides = 1, padding = 'valid', dilationRate = 1 } = given;
    super(given.name, {
      filters: positiveInteger(given.filters, 'filters'),
      kernelSize: positiveInteger(given.kernelSize, 'kernelSize'),
      strides: positiveInteger(strides, 'strides'),
      padding: choice(padding, 'padding', ['valid', 'same', 'causal']),
      dilationRate: positiveInteger(dilationRate, 'dilationRate'),
      ...affineConfig(given),
    });
  }

  override build(name: string, input: Features): BuiltLayer {
    const [steps, channels] = sequenceShape(input, name);
    refuseMask(input, name);
    const { filters, kernelSize, strides, padding, dilationRate, activation, useBias } = this.config;
    const outSteps = this.#outputSteps(name, steps);
    const parameters = affineParameters(name, [kernelSize, channels, filters], filters, this.config);
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
        parameters,
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
