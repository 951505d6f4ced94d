/** What a published experiment is made of, so that one command can run them all: data, layers, training, defaults. */

import type { LabelledImages, PixelStatistics } from '../images/index.js';
import type { Compatibility } from '../layers/compatibility.js';
import { layers } from '../layers/index.js';
import type { Layer } from '../layers/layer.js';
import type { Lstm, LstmActivation, LstmOptions, RecurrentActivation } from '../layers/lstm.js';
import type { LossName } from '../model/losses.js';
import type { OptimizerKind } from '../model/optimizers.js';
import type { TextPipeline } from '../model/text-pipeline.js';
import type { Float32Tensor, Tensor } from '../tensor.js';
import type { LabelledTexts } from '../text/index.js';
import type { Variant } from '../variants.js';

/** What every experiment can be told. A recipe's `defaults` have a value for each. */
export interface Settings {
  /** A name of the table of variants, or a variant. */
  readonly variant: string | Variant;
  /** Another number for a forget gate that is constant. */
  readonly forgetConstant: number | undefined;
  readonly activation: LstmActivation;
  readonly recurrentActivation: RecurrentActivation;
  readonly compatibility: Compatibility;
  readonly units: number;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly optimizer: OptimizerKind;
  /** Of rmsprop, adam and adamw. */
  readonly epsilon: number;
  readonly learningRate: number;
  readonly learningRateSchedule: 'constant' | 'loss';
  readonly epochs: number;
  readonly batchSize: number;
  /** Epochs to wait for a better validation loss; undefined: to the last epoch. */
  readonly patience: number | undefined;
}

/** What experiments on tokens can be told besides. */
export interface TokenSettings extends Settings {
  /** Positions of a document: its last ones, padded in front. */
  readonly maxLength: number;
  /** Rows of the embedding: padding, reserved ids, then the commonest words. */
  readonly numWords: number;
  readonly embeddingSize: number;
}

/** Where the data comes from. */
export interface Source {
  readonly path: string;
  /** The documents there, those of the folder `subset` where one is named. */
  texts(subset?: string): Promise<LabelledTexts>;
}

export interface Preparation {
  /** Decides which rows validate, where the data does not say. */
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Tells the user what was found. */
  say(line: string): void;
}

export interface Rows {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** A recipe applied to data: everything that `sequential`, `compile` and `fit` are given. */
export interface Experiment {
  readonly training: Rows;
  /** Null where nothing is held back. */
  readonly validation: Rows | null;
  /** Samples in the data, training and validation together. */
  readonly samples: number;
  readonly classNames: readonly string[];
  readonly inputShape: readonly number[];
  readonly layers: readonly Layer[];
  readonly loss: LossName;
  /** How the trained model reads raw text. */
  readonly text?: TextPipeline;
  /** By what the images were standardized, for images to come. */
  readonly pixels?: PixelStatistics;
}

/** A finished run, as far as it takes to find its data again. */
export interface FinishedRun {
  readonly seed: number;
  readonly samples: number;
  /** The settings as they were read from a file: not trusted. */
  readonly options: Readonly<Record<string, unknown>>;
}

interface RecipeOf<S extends Settings> {
  readonly name: string;
  /** A line for lists of recipes. */
  readonly summary: string;
  /** Every setting that the recipe has, undefined ones too. */
  readonly defaults: S;
  prepare(source: Source, settings: S, preparation: Preparation): Promise<Experiment>;
}

export interface TextRecipe<S extends Settings = Settings> extends RecipeOf<S> {
  readonly input: 'texts';
  /** The documents that a run held back of the same data. */
  heldOut(source: Source, run: FinishedRun): Promise<LabelledTexts>;
}

export interface ImageRecipe<S extends Settings = Settings> extends RecipeOf<S> {
  readonly input: 'images';
  /** The images that a run held back, or all of the data. */
  images(source: Source, part: 'all' | 'validation', signal: AbortSignal): Promise<LabelledImages>;
  /** Images `[N, height, width]` with grey values as the model's inputs. */
  inputs(images: Float32Tensor, pixels: PixelStatistics): Promise<Float32Tensor>;
}

export type Recipe = TextRecipe | ImageRecipe;

/** The recurrent layer by the settings; what else an experiment gives it is in `options`. */
export function recurrentLayer(settings: Settings, options: Partial<LstmOptions> = {}): Lstm {
  const { variant, forgetConstant, activation, recurrentActivation, compatibility, units } = settings;
  return layers.lstm({
    units,
    variant,
    ...(forgetConstant === undefined ? {} : { constants: { forget: forgetConstant } }),
    activation,
    recurrentActivation,
    compatibility,
    dropout: settings.dropout,
    recurrentDropout: settings.recurrentDropout,
    ...options,
  });
}
