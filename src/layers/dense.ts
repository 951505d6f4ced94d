import { checkedOptions, positiveInteger } from '../arguments.js';
import { type AffineOptions, affineConfig, affineOptionNames, affineParameters } from './affine.js';
import { type BuiltLayer, elements, type Features, frozen, Layer, numericShape } from './layer.js';

export interface DenseOptions extends AffineOptions {
  /** Width of the output. */
  readonly units: number;
}

export type DenseConfig = Readonly<Required<Omit<DenseOptions, 'name'>>>;

/** `[K]` to `[units]`, `[T, K]` to `[T, units]`. Arrays: `kernel [K, units]`, `bias [units]`. */
export class Dense extends Layer<DenseConfig> {
  readonly kind = 'dense';

  constructor(options: DenseOptions) {
    const given = checkedOptions(options, ['units', ...affineOptionNames], 'layers.dense');
    super(given.name, { units: positiveInteger(given.units, 'units'), ...affineConfig(given) });
  }

  override build(name: string, input: Features): BuiltLayer {
    const shape = numericShape(input, name);
    const { units, activation, useBias } = this.config;
    const leading = shape.slice(0, -1);
    const width = shape.at(-1) as number;
    const parameters = affineParameters(name, [width, units], units, this.config);
    elements([...leading, units], `the output of layer ${name}`);
    return {
      spec: { kind: this.kind, name, units, activation, useBias, parameters },
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
