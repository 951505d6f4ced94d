/** The model that `evaluate` and `predict` are given: a run's folder, or the folder of a model itself. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidDataError } from '../errors.js';
import { loadModel } from '../model/checkpoint/load.js';
import type { Model } from '../model/sequential.js';
import type { TextPipeline } from '../model/text-pipeline.js';
import { padSequencesAsync } from '../text/index.js';
import { modelIn } from './run-folder.js';

export interface DeviceOptions {
  device: string;
  threads?: number;
}

// Texts that go to the engine together.
export const BATCH = 128;

/** A model that reads raw text, and the names of its classes. */
export interface TextModel {
  readonly model: Model;
  readonly pipeline: Required<TextPipeline>;
  readonly classNames: readonly string[];
}

/**
 * Loads the model in `folder` or in its `model/`.
 *
 * @throws InvalidDataError if it was saved without its vocabulary; else what `loadModel` throws.
 */
export async function loadTextModel(folder: string, { device, threads }: DeviceOptions): Promise<TextModel> {
  const path = existsSync(join(folder, 'model.json')) ? folder : modelIn(folder);
  const model = await loadModel(path, { device, ...(threads === undefined ? {} : { threads }) });
  if (model.text === null) {
    model.dispose();
    throw new InvalidDataError(`The model in ${path} was saved without a vocabulary, so it cannot read text`);
  }
  const [outputs = 0] = model.outputShape;
  const given = model.text.classNames;
  const classNames = given.length > 0 ? given : Array.from({ length: Math.max(2, outputs) }, (_, i) => String(i));
  return { model, pipeline: model.text, classNames };
}

/**
 * For each text the probability of each class; a single sigmoid output is that of the second class. A text without any
 * known word is padding throughout, as in training.
 */
export async function probabilities(
  { model, pipeline, classNames }: TextModel,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const { tokenizer, padding, truncating } = pipeline;
  const sequences = await tokenizer.textsToSequencesAsync(texts, { signal });
  const x = await padSequencesAsync(sequences, { maxLength: model.inputShape[0], padding, truncating, signal });
  const { data, shape } = await model.predict(x, { batchSize: Math.min(BATCH, texts.length), signal });
  const width = shape[1] ?? 0;
  return texts.map((_, row) => {
    const scores = data.slice(row * width, (row + 1) * width);
    if (width !== 1 || classNames.length !== 2) return scores;
    return Float32Array.of(1 - (scores[0] as number), scores[0] as number);
  });
}
