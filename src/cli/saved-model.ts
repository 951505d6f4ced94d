/** The model that `evaluate` and `predict` are given: a run's folder, or the folder of a model itself. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FileAccessError, InvalidDataError, InvalidFileError } from '../errors.js';
import type { ImageRecipe, Recipe, TextRecipe } from '../experiments/recipe.js';
import { recipeNamed } from '../experiments/recipes.js';
import type { PixelStatistics } from '../images/index.js';
import type { LstmImplementation } from '../layers/lstm.js';
import { loadModel } from '../model/checkpoint/load.js';
import type { Model } from '../model/sequential.js';
import type { TextPipeline } from '../model/text-pipeline.js';
import type { Precision } from '../precision.js';
import type { Float32Tensor, TensorLike } from '../tensor.js';
import { padSequencesAsync } from '../text/index.js';
import { modelIn, type RunRecord, readPixelStatistics, readRunRecord } from './run-folder.js';

export interface DeviceOptions {
  device: string;
  threads?: number;
  /** Default of both: what the model was saved with. */
  precision?: Precision;
  implementation?: LstmImplementation;
}

// Samples that go to the engine together.
export const BATCH = 128;

/** A model that reads raw text, and the names of its classes. */
export interface TextClassifier {
  readonly input: 'texts';
  readonly model: Model;
  readonly pipeline: Required<TextPipeline>;
  readonly classNames: readonly string[];
  /** Null for a model that no run left behind. */
  readonly run: { readonly recipe: TextRecipe; readonly record: RunRecord } | null;
}

/** A model that reads images, standardized as those were that it learnt from. */
export interface ImageClassifier {
  readonly input: 'images';
  readonly model: Model;
  readonly recipe: ImageRecipe;
  readonly pixels: PixelStatistics;
  readonly classNames: readonly string[];
}

/**
 * Loads the model in `folder` or in its `model/`, and what else the run left.
 *
 * @throws FileAccessError where there is no such folder; InvalidDataError for a model of its own that was saved without
 *   its vocabulary; else what `loadModel` and `readRunRecord` throw.
 */
export async function loadClassifier(
  folder: string,
  { device, threads, precision, implementation }: DeviceOptions,
): Promise<TextClassifier | ImageClassifier> {
  if (!existsSync(folder)) throw new FileAccessError(`Cannot read ${folder}: there is no such folder`);
  const isModel = existsSync(join(folder, 'model.json'));
  const path = isModel ? folder : modelIn(folder);
  const record = isModel || !existsSync(join(folder, 'run.json')) ? null : await readRunRecord(folder);
  const recipe = record === null ? null : recipeOf(record, folder);
  const pixels = recipe?.input === 'images' ? await readPixelStatistics(folder) : null;
  const model = await loadModel(path, {
    device,
    ...(threads === undefined ? {} : { threads }),
    ...(precision === undefined ? {} : { precision }),
    ...(implementation === undefined ? {} : { implementation }),
  });
  if (record !== null && recipe?.input === 'images' && pixels !== null) {
    return { input: 'images', model, recipe, pixels, classNames: record.classNames };
  }
  if (model.text === null) {
    model.dispose();
    throw new InvalidDataError(`The model in ${path} was saved without a vocabulary, so it cannot read text`);
  }
  const run = record !== null && recipe?.input === 'texts' ? { recipe, record } : null;
  return { input: 'texts', model, pipeline: model.text, classNames: namesFor(model, model.text), run };
}

function recipeOf(record: RunRecord, folder: string): Recipe {
  const recipe = recipeNamed(record.recipe);
  if (recipe !== undefined) return recipe;
  throw new InvalidFileError(
    'ERR_RUN_RECORD',
    `The run in ${folder} followed the recipe ${record.recipe}, which this version of slim-lstm does not have`,
  );
}

function namesFor({ outputShape: [outputs = 0] }: Model, { classNames }: Required<TextPipeline>): readonly string[] {
  return classNames.length > 0 ? classNames : Array.from({ length: Math.max(2, outputs) }, (_, i) => String(i));
}

/**
 * For each text the probability of each class; a single sigmoid output is that of the second class. A text without any
 * known word is padding throughout, as in training.
 */
export async function textProbabilities(
  { model, pipeline, classNames }: TextClassifier,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const { tokenizer, padding, truncating } = pipeline;
  const sequences = await tokenizer.textsToSequencesAsync(texts, { signal });
  const x = await padSequencesAsync(sequences, { maxLength: model.inputShape[0], padding, truncating, signal });
  const rows = await outputRows(model, x, texts.length, signal);
  if (model.outputShape[0] !== 1 || classNames.length !== 2) return rows;
  return rows.map(([second = 0]) => Float32Array.of(1 - second, second));
}

/** For each image `[N, height, width]`, of grey values, the probability of each class. */
export async function imageProbabilities(
  { model, recipe, pixels }: ImageClassifier,
  images: Float32Tensor,
  signal: AbortSignal,
): Promise<Float32Array[]> {
  return outputRows(model, await recipe.inputs(images, pixels), images.shape[0] as number, signal);
}

async function outputRows(model: Model, x: TensorLike, count: number, signal: AbortSignal): Promise<Float32Array[]> {
  const { data, shape } = await model.predict(x, { batchSize: Math.min(BATCH, count), signal });
  const width = shape[1] ?? 0;
  return Array.from({ length: count }, (_, row) => data.slice(row * width, (row + 1) * width));
}
