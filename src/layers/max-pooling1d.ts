import { checkedOptions, choice, positiveInteger } from '../arguments.js';
import { InvalidModelError } from '../errors.js';
import { type BuiltLayer, type Features, frozen, Layer, refuseMask, sequenceShape } from './layer.js';

export type PoolingPadding = 'valid' | 'same';

export interface MaxPooling1dOptions {
  /** Steps of which the maximum is taken. Default 2. */
  readonly poolSize?: number;
  /** Distance between pools. Default: `poolSize`. */
  readonly strides?: number;
  /** `'valid'` (the default) leaves out a last pool that is not full; `'same'` keeps it. */
  readonly padding?: PoolingPadding;
  readonly name?: string;
}

export type MaxPooling1dConfig = Readonly<Required<Omit<MaxPooling1dOptions, 'name'>>>;

/** `[T, C]` to `[T out, C]`. */
export class MaxPooling1d extends Layer<MaxPooling1dConfig> {
  readonly kind = 'maxPooling1d';

  constructor(options?: MaxPooling1dOptions) {
    const given = checkedOptions(options, ['poolSize', 'strides', 'padding', 'name'], 'layers.maxPooling1d');
    const poolSize = positiveInteger(given.poolSize ?? 2, 'poolSize');
    super(given.name, {
      poolSize,
      strides: positiveInteger(given.strides ?? poolSize, 'strides'),
      padding: choice(given.padding ?? 'valid', 'padding', ['valid', 'same']),
    });
  }

  override build(name: string, input: Features): BuiltLayer {
    const [steps, channels] = sequenceShape(input, name);
    refuseMask(input, name);
    const { poolSize, strides, padding } = this.config;
    return {
      spec: { kind: this.kind, name, poolSize, strides, padding, parameters: [] },
      output: { shape: [this.#outputSteps(name, steps), channels], tokens: false, maskedBy: null },
      presets: [],
      macs: 0,
    };
  }

  #outputSteps(name: string, steps: number): number {
    const { poolSize, strides, padding } = this.config;
    if (padding === 'same') return Math.ceil(steps / strides);
    if (poolSize > steps) {
      throw new InvalidModelError(
        `Expected a pool that fits the sequence of ${steps} steps for layer ${name} but its poolSize is ${poolSize}; ` +
          `use a smaller poolSize, longer sequences or padding: 'same'`,
      );
    }
    return Math.floor((steps - poolSize) / strides) + 1;
  }
}

/**
 * The maximum of every `poolSize` steps, channel by channel: `[N, T, C]` to `[N, T out, C]`.
 *
 * @throws InvalidArgumentError for options that are unknown or out of range.
 */
export function maxPooling1d(options?: MaxPooling1dOptions): MaxPooling1d {
  return frozen(new MaxPooling1d(options));
}
