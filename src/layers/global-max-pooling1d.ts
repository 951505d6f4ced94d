import { boolean, checkedOptions } from '../arguments.js';
import { type BuiltLayer, type Features, frozen, Layer, refuseMask, sequenceShape } from './layer.js';

export interface GlobalMaxPooling1dOptions {
  /** True: the output keeps an axis of one step, `[1, C]`. Default false. */
  readonly keepdims?: boolean;
  readonly name?: string;
}

export interface GlobalMaxPooling1dConfig {
  readonly keepdims: boolean;
}

/** `[T, C]` to `[C]`, with keepdims to `[1, C]`. */
export class GlobalMaxPooling1d extends Layer<GlobalMaxPooling1dConfig> {
  readonly kind = 'globalMaxPooling1d';

  constructor(options?: GlobalMaxPooling1dOptions) {
    const given = checkedOptions(options, ['keepdims', 'name'], 'layers.globalMaxPooling1d');
    super(given.name, { keepdims: boolean(given.keepdims ?? false, 'keepdims') });
  }

  override build(name: string, input: Features): BuiltLayer {
    const [, channels] = sequenceShape(input, name);
    refuseMask(input, name);
    const { keepdims } = this.config;
    return {
      spec: { kind: this.kind, name, keepDims: keepdims, parameters: [] },
      output: { shape: keepdims ? [1, channels] : [channels], tokens: false, maskedBy: null },
      presets: [],
      macs: 0,
    };
  }
}

/**
 * The maximum of all steps, channel by channel: `[N, T, C]` to `[N, C]`.
 *
 * @throws InvalidArgumentError for options that are unknown or of another type.
 */
export function globalMaxPooling1d(options?: GlobalMaxPooling1dOptions): GlobalMaxPooling1d {
  return frozen(new GlobalMaxPooling1d(options));
}
