/** What layers of a kernel, a bias and an activation have in common: options and arrays. */

import { boolean } from '../arguments.js';
import type { NativeParameterSpec } from '../native.js';
import { type ActivationName, activationName } from './activation-names.js';
import { checkedInitializer, type Initializer, nativeInitializer } from './initializers.js';
import { checkedParameters } from './layer.js';

export interface AffineOptions {
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

export type AffineConfig = Readonly<Required<Omit<AffineOptions, 'name'>>>;

export const affineOptionNames = [
  'activation',
  'useBias',
  'kernelInitializer',
  'biasInitializer',
  'trainable',
  'name',
] as const;

export function affineConfig(given: AffineOptions): AffineConfig {
  const { activation = 'linear', useBias = true, kernelInitializer = 'glorotUniform' } = given;
  const { biasInitializer = 'zeros', trainable = true } = given;
  return {
    activation: activationName(activation, 'activation'),
    useBias: boolean(useBias, 'useBias'),
    kernelInitializer: checkedInitializer(kernelInitializer, 'kernelInitializer'),
    biasInitializer: checkedInitializer(biasInitializer, 'biasInitializer'),
    trainable: boolean(trainable, 'trainable'),
  };
}

/** `kernel` of the shape and, where it is used, `bias [width]`. */
export function affineParameters(
  name: string,
  kernelShape: readonly number[],
  width: number,
  { useBias, kernelInitializer, biasInitializer, trainable }: AffineConfig,
): readonly NativeParameterSpec[] {
  const kernel = {
    name: `${name}/kernel`,
    shape: kernelShape,
    initializer: nativeInitializer(kernelInitializer),
    trainable,
  };
  const bias = { name: `${name}/bias`, shape: [width], initializer: nativeInitializer(biasInitializer), trainable };
  return checkedParameters(useBias ? [kernel, bias] : [kernel]);
}
