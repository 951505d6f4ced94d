import { checkedOptions } from '../arguments.js';
import { type BuiltLayer, elements, type Features, frozen, Layer, numericShape, refuseMask } from './layer.js';

export interface FlattenOptions {
  readonly name?: string;
}

/** `[T, C]` to `[T * C]`. */
export class Flatten extends Layer {
  readonly kind = 'flatten';

  constructor(options?: FlattenOptions) {
    super(checkedOptions(options, ['name'], 'layers.flatten').name, {});
  }

  override build(name: string, input: Features): BuiltLayer {
    const shape = numericShape(input, name);
    refuseMask(input, name);
    return {
      spec: { kind: this.kind, name, parameters: [] },
      output: { shape: [elements(shape, `the output of layer ${name}`)], tokens: false, maskedBy: null },
      presets: [],
      macs: 0,
    };
  }
}

/**
 * All steps of a sequence as one vector, `[N, T, C]` to `[N, T * C]`.
 *
 * @throws InvalidArgumentError for unknown options.
 */
export function flatten(options?: FlattenOptions): Flatten {
  return frozen(new Flatten(options));
}
