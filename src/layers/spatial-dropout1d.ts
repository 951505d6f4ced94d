import { checkedOptions, dropoutRate } from '../arguments.js';
import type { DropoutConfig, DropoutOptions } from './dropout.js';
import { type BuiltLayer, type Features, frozen, Layer, sequenceShape } from './layer.js';

/** `[T, C]`, unchanged. */
export class SpatialDropout1d extends Layer<DropoutConfig> {
  readonly kind = 'spatialDropout1d';

  constructor(options: DropoutOptions) {
    const given = checkedOptions(options, ['rate', 'name'], 'layers.spatialDropout1d');
    super(given.name, { rate: dropoutRate(given.rate, 'rate') });
  }

  override build(name: string, input: Features): BuiltLayer {
    sequenceShape(input, name);
    return {
      spec: { kind: this.kind, name, rate: this.config.rate, parameters: [] },
      output: input,
      presets: [],
      macs: 0,
    };
  }
}

/**
 * Dropout of whole channels: a channel of a sequence is dropped at all its steps or at none.
 *
 * @throws InvalidArgumentError for a rate outside [0, 1) and unknown options.
 */
export function spatialDropout1d(options: DropoutOptions): SpatialDropout1d {
  return frozen(new SpatialDropout1d(options));
}
