import { checkedOptions, dropoutRate } from '../arguments.js';
import { type BuiltLayer, type Features, frozen, Layer, numericShape } from './layer.js';

export interface DropoutOptions {
  /** Part of the elements that a training step sets to 0, in [0, 1); the rest is multiplied by 1 / (1 - rate). */
  readonly rate: number;
  readonly name?: string;
}

export interface DropoutConfig {
  readonly rate: number;
}

/** Any shape, unchanged. */
export class Dropout extends Layer<DropoutConfig> {
  readonly kind = 'dropout';

  constructor(options: DropoutOptions) {
    const given = checkedOptions(options, ['rate', 'name'], 'layers.dropout');
    super(given.name, { rate: dropoutRate(given.rate, 'rate') });
  }

  override build(name: string, input: Features): BuiltLayer {
    numericShape(input, name);
    return {
      spec: { kind: this.kind, name, rate: this.config.rate, parameters: [] },
      output: input,
      presets: [],
      macs: 0,
    };
  }
}

/**
 * Inverted dropout: new masks at every training step, from the model's seed; nothing outside training.
 *
 * @throws InvalidArgumentError for a rate outside [0, 1) and unknown options.
 */
export function dropout(options: DropoutOptions): Dropout {
  return frozen(new Dropout(options));
}
