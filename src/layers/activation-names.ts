import { choice } from '../arguments.js';
import type { NativeActivation } from '../native.js';

/** Keras' activations in camel case. `hardSigmoid` is Keras 2's, clip(0.2 x + 0.5, 0, 1); softmax is over the last axis. */
export type ActivationName = NativeActivation;

const activationNames: readonly ActivationName[] = ['linear', 'relu', 'tanh', 'sigmoid', 'hardSigmoid', 'softmax'];

export function activationName(value: unknown, name: string): ActivationName {
  return choice(value, name, activationNames);
}
