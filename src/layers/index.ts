/** The factories of layers, under the names by which `layers` offers them, and the way back from a saved config. */

import { choice } from '../arguments.js';
import { InvalidArgumentError } from '../errors.js';
import { type ActivationOptions, activation } from './activation.js';
import { Bidirectional, type BidirectionalOptions, bidirectional } from './bidirectional.js';
import { type Conv1dOptions, conv1d } from './conv1d.js';
import { type DenseOptions, dense } from './dense.js';
import { type DropoutOptions, dropout } from './dropout.js';
import { type EmbeddingOptions, embedding } from './embedding.js';
import { type FlattenOptions, flatten } from './flatten.js';
import { type GlobalMaxPooling1dOptions, globalMaxPooling1d } from './global-max-pooling1d.js';
import type { Layer, LayerKind } from './layer.js';
import { Lstm, type LstmImplementation, type LstmOptions, lstm } from './lstm.js';
import { type MaxPooling1dOptions, maxPooling1d } from './max-pooling1d.js';
import { spatialDropout1d } from './spatial-dropout1d.js';

export type { Layer } from './layer.js';

/** The layers a model is made of; names and options are Keras' in camel case. */
export const layers = Object.freeze({
  embedding,
  conv1d,
  maxPooling1d,
  globalMaxPooling1d,
  dropout,
  spatialDropout1d,
  lstm,
  bidirectional,
  dense,
  activation,
  flatten,
} satisfies Record<LayerKind, unknown>);

/** The layer, its recurrence, where it is one, computed by that implementation. */
export function withImplementation(layer: Layer, name: string, implementation: LstmImplementation): Layer {
  if (layer instanceof Lstm) return layerFromConfig(layer.kind, { ...layer.config, implementation }, name);
  if (!(layer instanceof Bidirectional)) return layer;
  return layerFromConfig(layer.kind, { ...layer.config, layer: { ...layer.config.layer, implementation } }, name);
}

const layerKinds = Object.freeze(Object.keys(layers) as LayerKind[]);

/**
 * The layer that a saved model describes. Nothing in `config` is trusted: it goes through the same checks as the
 * options of a factory.
 *
 * @throws InvalidArgumentError for an unknown kind and whatever the kind's factory refuses.
 */
export function layerFromConfig(kind: string, config: object, name: string): Layer {
  const options = { ...config, name };
  switch (choice(kind, 'kind', layerKinds)) {
    case 'embedding':
      return embedding(options as EmbeddingOptions);
    case 'conv1d':
      return conv1d(options as Conv1dOptions);
    case 'maxPooling1d':
      return maxPooling1d(options as MaxPooling1dOptions);
    case 'globalMaxPooling1d':
      return globalMaxPooling1d(options as GlobalMaxPooling1dOptions);
    case 'dropout':
      return dropout(options as DropoutOptions);
    case 'spatialDropout1d':
      return spatialDropout1d(options as DropoutOptions);
    case 'lstm':
      return lstm(options as LstmOptions);
    case 'bidirectional': {
      const { layer, ...rest } = options as { layer?: LstmOptions } & BidirectionalOptions;
      if (layer === undefined) throw new InvalidArgumentError('Expected the config of the layer for bidirectional');
      return bidirectional(lstm(layer), rest);
    }
    case 'dense':
      return dense(options as DenseOptions);
    case 'activation':
      return activation(options as ActivationOptions);
    case 'flatten':
      return flatten(options as FlattenOptions);
  }
}
