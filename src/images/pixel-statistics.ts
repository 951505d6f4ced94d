import { setImmediate } from 'node:timers/promises';
import { InvalidDataError } from '../errors.js';
import type { Float32Tensor } from '../tensor.js';

/** Mean and standard deviation of each pixel over a set of images, row-major. */
export interface PixelStatistics {
  readonly height: number;
  readonly width: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

// Images between two yields to the event loop.
const STRETCH = 1024;

/**
 * The statistics of `images` `[N, height, width]`; the deviation is that of the set itself, divided by N.
 *
 * @throws InvalidDataError if there is no image.
 */
export async function pixelStatistics({ data, shape }: Float32Tensor): Promise<PixelStatistics> {
  const [count = 0, height = 0, width = 0] = shape;
  if (count === 0) throw new InvalidDataError('Expected at least one image but received none');
  const pixels = height * width;
  const sums = new Float64Array(pixels);
  const squares = new Float64Array(pixels);
  for (let image = 0; image < count; image++) {
    for (let i = 0; i < pixels; i++) {
      const value = data[image * pixels + i] as number;
      sums[i] = (sums[i] as number) + value;
      squares[i] = (squares[i] as number) + value * value;
    }
    if (image % STRETCH === 0) await setImmediate();
  }
  const mean = Array.from(sums, (sum) => sum / count);
  // Rounding may leave a difference below 0 where all values are the same.
  const deviation = Array.from(squares, (square, i) =>
    Math.sqrt(Math.max(0, square / count - (mean[i] as number) ** 2)),
  );
  return { height, width, mean, deviation };
}

// What the published experiments add to a deviation, so that pixels that are always the same do not divide by 0.
const EPSILON = 1e-6;

/**
 * `(x - mean) / (deviation + 1e-6)` for each pixel: a new tensor of the same shape.
 *
 * @throws InvalidDataError for images of another size than that of the statistics.
 */
export async function standardized(images: Float32Tensor, statistics: PixelStatistics): Promise<Float32Tensor> {
  const [count = 0, height, width] = images.shape;
  if (height !== statistics.height || width !== statistics.width) {
    throw new InvalidDataError(
      `Expected images of ${statistics.height} x ${statistics.width} pixels but received ${height} x ${width}`,
    );
  }
  const { mean, deviation } = statistics;
  const pixels = mean.length;
  const data = new Float32Array(images.data.length);
  for (let image = 0; image < count; image++) {
    for (let i = 0; i < pixels; i++) {
      const offset = image * pixels + i;
      data[offset] = ((images.data[offset] as number) - (mean[i] as number)) / ((deviation[i] as number) + EPSILON);
    }
    if (image % STRETCH === 0) await setImmediate();
  }
  return { data, shape: images.shape };
}
