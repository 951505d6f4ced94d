import { describe, expect, it } from 'vitest';
import { InvalidDataError, pixelStatistics, standardized } from '../../src/index.js';

// Three images of 1 x 2 pixels; the second pixel never changes.
const images = { data: Float32Array.of(0, 7, 3, 7, 6, 7), shape: [3, 1, 2] };

describe('standardizing images', () => {
  it('finds mean and deviation of each pixel over the images', async () => {
    expect(await pixelStatistics(images)).toEqual({
      height: 1,
      width: 2,
      mean: [3, 7],
      // sqrt(((0 - 3)^2 + 0 + (6 - 3)^2) / 3)
      deviation: [Math.sqrt(6), 0],
    });
  });

  it('takes off the mean and divides by the deviation + 1e-6, which keeps a constant pixel at 0', async () => {
    const statistics = await pixelStatistics(images);
    const { data, shape } = await standardized(images, statistics);
    const unit = 3 / (Math.sqrt(6) + 1e-6);
    expect(shape).toEqual([3, 1, 2]);
    expect([...data]).toEqual([-unit, 0, 0, 0, unit, 0].map(Math.fround));
    // What is new is measured by the old: here by 1e-6 alone.
    const other = await standardized({ data: Float32Array.of(3, 8), shape: [1, 1, 2] }, statistics);
    expect([...other.data]).toEqual([0, Math.fround(1 / 1e-6)]);
  });

  it('refuses images of another size, and no images', async () => {
    const statistics = await pixelStatistics(images);
    await expect(standardized({ data: new Float32Array(4), shape: [1, 2, 2] }, statistics)).rejects.toThrow(
      'Expected images of 1 x 2 pixels but received 2 x 2',
    );
    await expect(pixelStatistics({ data: new Float32Array(0), shape: [0, 2, 2] })).rejects.toThrow(InvalidDataError);
  });
});
