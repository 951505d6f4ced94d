/** From a list of layers to what the engine compiles: names, shapes, parameters. */

import { positiveInteger } from '../arguments.js';
import { InvalidArgumentError, InvalidModelError } from '../errors.js';
import { expectation } from '../expectation.js';
import { Embedding } from '../layers/embedding.js';
import { type BuiltLayer, elements, type Features, Layer, type LayerKind } from '../layers/layer.js';
import type { NativeModelSpec } from '../native.js';

export interface PlacedLayer {
  readonly name: string;
  readonly layer: Layer;
  readonly built: BuiltLayer;
}

export interface Architecture {
  readonly layers: readonly PlacedLayer[];
  /** Without the batch: `[T]` for token ids, otherwise `[T, m]` or `[K]`. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Token ids are below this; 0 where the inputs are numbers. */
  readonly vocabulary: number;
}

// More layers than any network of this kind has; a hostile model file must not make millions.
const MOST_LAYERS = 1000;

/**
 * Places the layers one upon the other.
 *
 * @throws InvalidArgumentError for what is no list of layers, and an input shape that is none.
 * @throws InvalidModelError where a layer cannot take what the one before it gives, and for names given twice.
 */
export function arrange(layers: readonly Layer[], inputShape: readonly number[] | undefined): Architecture {
  checkLayers(layers);
  const first = layers[0] as Layer;
  const shape = resolveInputShape(first, inputShape);
  const names = layerNames(layers);
  const placed: PlacedLayer[] = [];
  let features: Features = { shape, tokens: first instanceof Embedding, maskedBy: null };
  layers.forEach((layer, i) => {
    const name = names[i] as string;
    const built = layer.build(name, features);
    placed.push({ name, layer, built });
    features = built.output;
  });
  return {
    layers: placed,
    inputShape: shape,
    outputShape: features.shape,
    vocabulary: first instanceof Embedding ? first.config.inputDim : 0,
  };
}

export function nativeSpec({ layers, inputShape, vocabulary }: Architecture): NativeModelSpec {
  return { tokenInput: vocabulary > 0, inputShape, layers: layers.map(({ built }) => built.spec) };
}

/** The same for a model whose weights are about to be set: nothing is drawn, which saves the time of large matrices. */
export function nativeSpecWithoutDraws(architecture: Architecture): NativeModelSpec {
  const spec = nativeSpec(architecture);
  const layers = spec.layers.map((layer) => ({
    ...layer,
    parameters: layer.parameters.map((parameter) => ({ ...parameter, initializer: { kind: 'zeros' as const } })),
  }));
  return { ...spec, layers };
}

/** The arrays of all layers in the order of the layers. */
export function parameterShapes({ layers }: Architecture): { name: string; shape: readonly number[] }[] {
  return layers.flatMap(({ built }) => built.spec.parameters.map(({ name, shape }) => ({ name, shape })));
}

function checkLayers(layers: unknown): asserts layers is readonly Layer[] {
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new InvalidArgumentError(expectation('an array of one layer or more', 'layers', layers));
  }
  if (layers.length > MOST_LAYERS) {
    throw new InvalidArgumentError(`Expected at most ${MOST_LAYERS} layers but received ${layers.length}`);
  }
  layers.forEach((layer: unknown, i) => {
    if (layer instanceof Layer) return;
    throw new InvalidArgumentError(expectation('a layer made by a function of layers', `layers[${i}]`, layer));
  });
}

function resolveInputShape(first: Layer, inputShape: unknown): readonly number[] {
  const tokens = first instanceof Embedding;
  const expected = tokens ? '[steps]' : '[steps, features] or [features]';
  const shape: unknown =
    inputShape ?? (tokens && first.config.inputLength !== undefined ? [first.config.inputLength] : undefined);
  if (!Array.isArray(shape)) {
    throw new InvalidArgumentError(expectation(`an array ${expected}`, 'inputShape', shape));
  }
  shape.forEach((size, axis) => void positiveInteger(size, `inputShape[${axis}]`));
  if (tokens ? shape.length !== 1 : shape.length !== 1 && shape.length !== 2) {
    const remedy = tokens
      ? '; an embedding reads token ids'
      : shape.length === 0
        ? ''
        : '; the batch is not part of it';
    throw new InvalidArgumentError(`${expectation(`an array ${expected}`, 'inputShape', shape)}${remedy}`);
  }
  elements(shape, 'a row of the input');
  return Object.freeze([...(shape as number[])]);
}

// Keras' names for layers that have none of their own.
const baseNames: Readonly<Record<LayerKind, string>> = {
  embedding: 'embedding',
  conv1d: 'conv1d',
  maxPooling1d: 'max_pooling1d',
  globalMaxPooling1d: 'global_max_pooling1d',
  dropout: 'dropout',
  spatialDropout1d: 'spatial_dropout1d',
  lstm: 'lstm',
  bidirectional: 'bidirectional',
  dense: 'dense',
  activation: 'activation',
  flatten: 'flatten',
};

/** The user's names, and for the rest `conv1d`, `conv1d_1`, ...: the first that are free. */
function layerNames(layers: readonly Layer[]): string[] {
  const taken = new Set<string>();
  for (const { name } of layers) {
    if (name === undefined) continue;
    if (taken.has(name)) throw new InvalidModelError(`Expected distinct names of layers but received ${name} twice`);
    taken.add(name);
  }
  const counts = new Map<string, number>();
  return layers.map(({ name, kind }) => {
    if (name !== undefined) return name;
    const base = baseNames[kind];
    for (;;) {
      const count = counts.get(base) ?? 0;
      counts.set(base, count + 1);
      const candidate = count === 0 ? base : `${base}_${count}`;
      if (!taken.has(candidate)) return candidate;
    }
  });
}
