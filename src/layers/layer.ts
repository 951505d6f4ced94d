/** What all layers have in common: a layer is a frozen description that a model builds upon the layer before it. */

import { nonEmptyString } from '../arguments.js';
import { InvalidArgumentError, InvalidModelError } from '../errors.js';
import { expectation } from '../expectation.js';
import type { NativeLayerSpec, NativeParameterSpec } from '../native.js';

export type LayerKind = NativeLayerSpec['kind'];

/** What flows from one layer to the next. Sizes are without the batch: `[T, m]` for sequences, `[K]` for vectors. */
export interface Features {
  readonly shape: readonly number[];
  /** Int32 token ids instead of numbers; shape `[T]`. */
  readonly tokens: boolean;
  /** The layer whose mask goes with the sequence, or null where every step counts. */
  readonly maskedBy: string | null;
}

/** Weights that a layer sets once the model has drawn its own: `values` go to the array from `offset` on. */
export interface PresetWeights {
  readonly parameter: string;
  readonly offset: number;
  readonly values: Float32Array;
}

/** A layer in its place in a model. */
export interface BuiltLayer {
  readonly spec: NativeLayerSpec;
  readonly output: Features;
  readonly presets: readonly PresetWeights[];
  /** Multiply-adds of the products for one sample. */
  readonly macs: number;
}

/**
 * A layer as the factories of `layers` make it: nothing but checked options. One description may be used in any number
 * of models and places; each use has weights of its own.
 */
export abstract class Layer<Config extends object = object> {
  abstract readonly kind: LayerKind;
  /** The name that the user gave; without one the model names the layer by its kind, as Keras does. */
  readonly name: string | undefined;
  /** The options, defaults filled in; what `JSON.stringify` writes of it, the layer's factory takes. */
  readonly config: Readonly<Config>;

  constructor(name: string | undefined, config: Config) {
    this.name = name === undefined ? undefined : checkedName(name);
    this.config = Object.freeze(config);
  }

  /**
   * The layer under its final name upon what comes in.
   *
   * @throws InvalidModelError where the layer cannot take that.
   */
  abstract build(name: string, input: Features): BuiltLayer;
}

/** The layer, which nobody can change from now on. */
export function frozen<L extends Layer>(layer: L): L {
  Object.freeze(layer);
  return layer;
}

const LONGEST_NAME = 200;

// Names become parts of the keys of weights files, hence no slash, and of a line of `summary()`, hence no control
// characters.
function checkedName(value: unknown): string {
  const name = nonEmptyString(value, 'name');
  if (/[/\p{Cc}]/u.test(name) || name.length > LONGEST_NAME) {
    throw new InvalidArgumentError(
      expectation(`a name without slash or control characters of at most ${LONGEST_NAME} characters`, 'name', value),
    );
  }
  return name;
}

/** `[T, m]` of a sequence of vectors. */
export function sequenceShape(input: Features, layer: string): readonly [steps: number, width: number] {
  const [steps, width] = input.shape;
  if (input.tokens || input.shape.length !== 2 || steps === undefined || width === undefined) {
    throw new InvalidModelError(
      `Expected sequences of shape [steps, features] for layer ${layer} but received ${describe(input)}`,
    );
  }
  return [steps, width];
}

/** The shape where any numbers will do. */
export function numericShape(input: Features, layer: string): readonly number[] {
  if (input.tokens) {
    throw new InvalidModelError(`Expected numbers for layer ${layer} but received ${describe(input)}`);
  }
  return input.shape;
}

/**
 * Refuses a mask: the layer mixes steps or drops them, so that no step of its output is masked by one step of its input.
 * Keras drops the mask silently there, or fails.
 */
export function refuseMask(input: Features, layer: string): void {
  if (input.maskedBy === null) return;
  throw new InvalidModelError(
    `Layer ${layer} cannot carry the mask of layer ${input.maskedBy}; build ${input.maskedBy} with maskZero: false, ` +
      `or let an lstm without returnSequences come before ${layer}`,
  );
}

function describe({ shape, tokens }: Features): string {
  return `${tokens ? 'token ids' : 'numbers'} of shape [${shape.join(', ')}]${tokens ? '; an embedding turns them into vectors' : ''}`;
}

/** @throws InvalidModelError for arrays too large to be addressed. */
export function elements(shape: readonly number[], what: string): number {
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count * Float32Array.BYTES_PER_ELEMENT)) {
    throw new InvalidModelError(
      `Expected a size that can be addressed for ${what} but received shape [${shape.join(', ')}]`,
    );
  }
  return count;
}

/** The parameters of a layer, each once its size is known to be addressable. */
export function checkedParameters(parameters: readonly NativeParameterSpec[]): readonly NativeParameterSpec[] {
  for (const { name, shape } of parameters) elements(shape, name);
  return parameters;
}
