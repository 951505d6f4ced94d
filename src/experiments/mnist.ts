/**
 * MNIST as Lu 2016 (arXiv 1612.03707) and parts I to III of Salem's papers read it: row by row, 28 steps of 28 pixels,
 * or pixel by pixel, 784 steps of one. Each pixel is standardized with its mean and deviation over the training images.
 *
 * What is as in Lu's code: the matrices of each gate drawn by themselves, the recurrent ones by glorotUniform too (which
 * its driver says of LSTM1, and here holds for all), a forget bias of 1, tanh and the logistic sigmoid, RMSprop, the
 * learning rate that follows the training loss, an early end after 50 epochs without improvement. There the test images
 * are what the run is watched with; so they are here. What it watches is not told; here it is Keras' default, the loss.
 */

import { InvalidDataError } from '../errors.js';
import { type LabelledImages, pixelStatistics, readMnist, standardized } from '../images/index.js';
import { layers } from '../layers/index.js';
import type { Float32Tensor } from '../tensor.js';
import {
  type Experiment,
  type ImageRecipe,
  type Preparation,
  recurrentLayer,
  type Settings,
  type Source,
} from './recipe.js';

/** How an image becomes a sequence. */
type Layout = 'rows' | 'pixels';

const shared = {
  variant: 'LSTM3',
  forgetConstant: undefined,
  activation: 'tanh',
  recurrentActivation: 'sigmoid',
  compatibility: 'lu2016',
  dropout: 0,
  recurrentDropout: 0,
  optimizer: 'rmsprop',
  epsilon: 1e-8,
  learningRateSchedule: 'loss',
  batchSize: 32,
  patience: 50,
} as const;

export const mnistRows: ImageRecipe = {
  name: 'mnist-rows',
  summary: 'MNIST row by row, 28 steps of 28 pixels (Lu 2016)',
  input: 'images',
  defaults: { ...shared, learningRate: 1e-3, units: 50, epochs: 200 },
  prepare: (source, settings, preparation) => prepared(source, settings, preparation, 'rows'),
  images: imagesOf,
  inputs: async (images, pixels) => inputsOf(await standardized(images, pixels), 'rows'),
};

export const mnistPixels: ImageRecipe = {
  name: 'mnist-pixels',
  summary: 'MNIST pixel by pixel, 784 steps of one (Lu 2016)',
  input: 'images',
  // At 1e-3, the paper's other initial rate, LSTM2 and LSTM3 end far lower.
  defaults: { ...shared, learningRate: 1e-4, units: 100, epochs: 100 },
  prepare: (source, settings, preparation) => prepared(source, settings, preparation, 'pixels'),
  images: imagesOf,
  inputs: async (images, pixels) => inputsOf(await standardized(images, pixels), 'pixels'),
};

async function prepared(
  { path }: Source,
  settings: Settings,
  { signal, say }: Preparation,
  layout: Layout,
): Promise<Experiment> {
  const { train, test } = await readMnist(path, { signal });
  const classes = classCount(path, train, test);
  say(`${train.labels.length} images of ${classes} classes to train on, ${test.labels.length} to validate`);
  const pixels = await pixelStatistics(train.images);
  const rowsOf = async ({ images, labels }: LabelledImages) => ({
    x: inputsOf(await standardized(images, pixels), layout),
    y: { data: labels, shape: [labels.length] },
  });
  const training = await rowsOf(train);
  return {
    training,
    validation: await rowsOf(test),
    samples: train.labels.length + test.labels.length,
    classNames: Array.from({ length: classes }, (_, id) => String(id)),
    inputShape: training.x.shape.slice(1),
    layers: [
      recurrentLayer(settings, { recurrentInitializer: 'glorotUniform' }),
      layers.dense({ units: classes, activation: 'softmax' }),
    ],
    loss: 'sparseCategoricalCrossentropy',
    pixels,
  };
}

function classCount(path: string, ...parts: LabelledImages[]): number {
  const largest = parts.reduce((most, { labels }) => labels.reduce((a, b) => Math.max(a, b), most), 0);
  const smallest = parts.reduce((least, { labels }) => labels.reduce((a, b) => Math.min(a, b), least), 0);
  // No data set in this form comes near it; a file of other numbers must not make a layer of millions of units.
  if (smallest < 0 || largest >= 1000) {
    throw new InvalidDataError(
      `Expected labels from 0 to 999 in ${path} but found ${smallest < 0 ? smallest : largest}`,
    );
  }
  if (largest === 0) throw new InvalidDataError(`Expected images of 2 classes or more in ${path} but all labels are 0`);
  return largest + 1;
}

/** `[N, height, width]` as it is, or `[N, height * width, 1]`. */
function inputsOf(images: Float32Tensor, layout: Layout): Float32Tensor {
  const [count = 0, height = 0, width = 0] = images.shape;
  return layout === 'rows' ? images : { data: images.data, shape: [count, height * width, 1] };
}

async function imagesOf({ path }: Source, part: 'all' | 'validation', signal: AbortSignal): Promise<LabelledImages> {
  const { train, test } = await readMnist(path, { signal });
  if (part === 'validation') return test;
  const data = new Float32Array(train.images.data.length + test.images.data.length);
  data.set(train.images.data);
  data.set(test.images.data, train.images.data.length);
  const labels = new Int32Array(train.labels.length + test.labels.length);
  labels.set(train.labels);
  labels.set(test.labels, train.labels.length);
  return { images: { data, shape: [labels.length, ...train.images.shape.slice(1)] }, labels };
}
