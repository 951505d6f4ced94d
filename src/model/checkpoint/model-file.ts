/** `model.json`: what a model is, but for its numbers. Written by `describeModel`, read by `parseModelFile`. */

import { choice, nonNegativeInteger, nonNegativeNumber } from '../../arguments.js';
import { InvalidFileError, SlimLstmError } from '../../errors.js';
import { type Layer, layerFromConfig } from '../../layers/index.js';
import { checkedPrecision, type Precision } from '../../precision.js';
import { type Architecture, arrange } from '../architecture.js';
import { type LossName, lossName, targetForm } from '../losses.js';
import { type Metric, type Metrics, resolveMetrics } from '../metrics.js';
import type { ModelCore } from '../model-core.js';
import { type Optimizer, optimizerFromJSON } from '../optimizers.js';
import type { TextPipeline } from '../text-pipeline.js';
import { isJsonObject, type JsonObject, JsonSyntaxError, type JsonValue, parseStrictJson } from './strict-json.js';

const FORMAT = 'slim-lstm model';
const VERSION = 1;

export interface SavedTraining {
  readonly optimizer: Optimizer;
  readonly loss: LossName;
  readonly metrics: Metrics;
  readonly learningRate: number;
}

export interface SavedText {
  readonly padding: 'pre' | 'post';
  readonly truncating: 'pre' | 'post';
  readonly classNames: readonly string[];
}

export interface SavedModel {
  readonly architecture: Architecture;
  readonly seed: number;
  readonly precision: Precision;
  readonly training: SavedTraining | null;
  readonly text: SavedText | null;
}

export function describeModel(core: ModelCore, text: Required<TextPipeline> | null): string {
  const { architecture, compiled, seed, precision, learningRate } = core;
  const description = {
    format: FORMAT,
    version: VERSION,
    seed,
    precision,
    inputShape: architecture.inputShape,
    layers: architecture.layers.map(({ name, layer }) => ({ kind: layer.kind, name, config: layer.config })),
    training:
      compiled === null
        ? null
        : {
            optimizer: compiled.optimizer,
            loss: compiled.loss,
            metrics: metricList(compiled.metrics),
            learningRate,
          },
    text: text === null ? null : { padding: text.padding, truncating: text.truncating, classNames: text.classNames },
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}

function metricList({ accuracy, topK }: Metrics): Metric[] {
  return [...(accuracy ? (['accuracy'] as const) : []), ...(topK > 0 ? [{ topK }] : [])];
}

function violation(path: string, kind: string, message: string, cause?: unknown): InvalidFileError {
  return new InvalidFileError(`ERR_MODEL_FILE_${kind}`, `${path} is no valid model file: ${message}`, { cause });
}

/**
 * What the text of a `model.json` describes. Nothing in it is trusted: every field is checked, layers by the same rules
 * as the options of their factories, and nothing is allocated by its numbers.
 *
 * @param path the file's name, for messages
 * @throws InvalidFileError with the code `ERR_MODEL_FILE_` and `JSON`, `DUPLICATE_KEY`, `FORMAT`, `VERSION`, `FIELDS`,
 *   `LAYER`, `TRAINING` or `TEXT`.
 */
export function parseModelFile(text: string, path: string): SavedModel {
  const fields = exactFields(
    path,
    'FIELDS',
    // The first files told no precision; there was float32 alone.
    { precision: 'float32', ...parsed(text, path) },
    ['format', 'version', 'seed', 'precision', 'inputShape', 'layers', 'training', 'text'],
    'the file',
  );
  const seed = checked(path, 'FIELDS', () => nonNegativeInteger(fields.seed, 'seed'));
  const precision = checked(path, 'FIELDS', () => checkedPrecision(fields.precision));
  const architecture = parsedArchitecture(path, fields);
  return {
    architecture,
    seed,
    precision,
    training: fields.training === null ? null : parsedTraining(path, fields.training, architecture),
    text: fields.text === null ? null : parsedText(path, fields.text),
  };
}

function parsed(text: string, path: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    const kind = cause instanceof JsonSyntaxError && cause.kind === 'duplicate key' ? 'DUPLICATE_KEY' : 'JSON';
    throw violation(path, kind, (cause as Error).message, cause);
  }
  if (!isJsonObject(value) || value.format !== FORMAT) {
    throw violation(path, 'FORMAT', `its format is not ${JSON.stringify(FORMAT)}`);
  }
  if (value.version !== VERSION) {
    throw violation(
      path,
      'VERSION',
      `its version is ${JSON.stringify(value.version)}; this version of slim-lstm reads ${VERSION}`,
    );
  }
  return value;
}

function exactFields<Name extends string>(
  path: string,
  kind: string,
  value: JsonValue | undefined,
  names: readonly Name[],
  where: string,
): Record<Name, JsonValue> {
  if (!isJsonObject(value)) throw violation(path, kind, `${where} is no object`);
  for (const name of names) {
    if (!Object.hasOwn(value, name)) throw violation(path, kind, `${where} lacks ${name}`);
  }
  const known: readonly string[] = names;
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw violation(path, kind, `${where} has the unknown field ${JSON.stringify(name)}`);
  }
  return value as Record<Name, JsonValue>;
}

/** What the checks of options and layers refuse is, here, a violation of the file. */
function checked<Value>(path: string, kind: string, check: () => Value): Value {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof SlimLstmError) || cause instanceof InvalidFileError) throw cause;
    throw violation(path, kind, cause.message, cause);
  }
}

function parsedArchitecture(path: string, fields: Record<'inputShape' | 'layers', JsonValue>): Architecture {
  const { inputShape, layers } = fields;
  if (!Array.isArray(layers)) throw violation(path, 'FIELDS', 'layers is no array');
  return checked(path, 'LAYER', () => {
    const list = layers.map((entry, i): Layer => {
      const { kind, name, config } = exactFields(path, 'LAYER', entry, ['kind', 'name', 'config'], `layers[${i}]`);
      if (typeof kind !== 'string' || typeof name !== 'string' || !isJsonObject(config)) {
        throw violation(path, 'LAYER', `layers[${i}] must have a kind, a name and a config`);
      }
      if (Object.hasOwn(config, 'name')) throw violation(path, 'LAYER', `the config of layers[${i}] has a name`);
      return layerFromConfig(kind, config, name);
    });
    return arrange(list, inputShape as readonly number[]);
  });
}

function parsedTraining(path: string, value: JsonValue, { outputShape }: Architecture): SavedTraining {
  const names = ['optimizer', 'loss', 'metrics', 'learningRate'] as const;
  const fields = exactFields(path, 'TRAINING', value, names, 'training');
  const { optimizer } = fields;
  if (!isJsonObject(optimizer)) throw violation(path, 'TRAINING', 'training.optimizer is no object');
  return checked(path, 'TRAINING', () => {
    const loss = lossName(fields.loss);
    targetForm(loss, outputShape);
    return {
      optimizer: optimizerFromJSON(optimizer),
      loss,
      metrics: resolveMetrics(fields.metrics, loss, outputShape[0] as number),
      learningRate: nonNegativeNumber(fields.learningRate, 'learningRate'),
    };
  });
}

function parsedText(path: string, value: JsonValue): SavedText {
  const fields = exactFields(path, 'TEXT', value, ['padding', 'truncating', 'classNames'], 'text');
  const { classNames } = fields;
  if (!Array.isArray(classNames) || !classNames.every((name) => typeof name === 'string')) {
    throw violation(path, 'TEXT', 'text.classNames is no array of strings');
  }
  return checked(path, 'TEXT', () => ({
    padding: choice(fields.padding, 'text.padding', ['pre', 'post']),
    truncating: choice(fields.truncating, 'text.truncating', ['pre', 'post']),
    classNames,
  }));
}
