import { checkedOptions } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';
import { type ActivationName, activationName } from './activation-names.js';
import { type BuiltLayer, type Features, frozen, Layer, numericShape } from './layer.js';

export interface ActivationOptions {
  readonly activation: ActivationName;
  readonly name?: string;
}

export interface ActivationConfig {
  readonly activation: ActivationName;
}

/** Any shape, unchanged. */
export class Activation extends Layer<ActivationConfig> {
  readonly kind = 'activation';

  constructor(options: ActivationOptions) {
    const given = checkedOptions(options, ['activation', 'name'], 'layers.activation');
    super(given.name, { activation: activationName(given.activation, 'activation') });
  }

  override build(name: string, input: Features): BuiltLayer {
    numericShape(input, name);
    return {
      spec: { kind: this.kind, name, activation: this.config.activation, parameters: [] },
      output: input,
      presets: [],
      macs: 0,
    };
  }
}

/**
 * An activation as a layer of its own: `activation('relu')` or `activation({ activation: 'relu', name })`.
 *
 * @throws InvalidArgumentError for an unknown activation (with the nearest name).
 */
export function activation(activation: ActivationName | ActivationOptions): Activation {
  if (typeof activation === 'string') return frozen(new Activation({ activation }));
  if (typeof activation !== 'object') {
    throw new InvalidArgumentError(expectation('the name of an activation or an object', 'activation', activation));
  }
  return frozen(new Activation(activation));
}
