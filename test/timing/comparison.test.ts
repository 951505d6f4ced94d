import { describe, expect, test } from 'vitest';
import { cost } from '../../src/index.js';
import { comparedVariants, quantile } from '../../src/timing/comparison.js';
import { passFlops } from '../../src/timing/flops.js';

describe('the comparison with LSTM', () => {
  const timed = [
    { name: 'fast', parameters: 5, training: { flops: 2e9, milliseconds: [3, 2, 1, 4, 5] } },
    {
      name: 'LSTM',
      parameters: 10,
      forward: { flops: 4e9, milliseconds: [40, 20] },
      training: { flops: 8e9, milliseconds: [12, 15, 11, 13, 12] },
    },
    {
      name: 'scan',
      parameters: 1,
      forward: { flops: 1e9, milliseconds: [3] },
      training: { flops: 1e9, milliseconds: [6, 6] },
    },
  ];
  const [fast, lstm, scan] = comparedVariants(timed, 'LSTM', 32);

  test('is by medians, wherever the base stands', () => {
    expect(lstm?.training).toMatchObject({ median: 12, lowerQuartile: 12, upperQuartile: 13, speedup: 1, saving: 1 });
    expect(fast?.training).toMatchObject({ median: 3, lowerQuartile: 2, upperQuartile: 4, speedup: 4 });
    expect(scan?.training).toMatchObject({ median: 6, lowerQuartile: 6, upperQuartile: 6, speedup: 2 });
  });

  test('gives the saving that came true: 1 where the time went down as the operations did', () => {
    expect(fast?.training.saving).toBe(1);
    expect(scan?.training.saving).toBe(0.25);
  });

  test('gives operations and sequences a second', () => {
    expect(fast?.training.gflops).toBeCloseTo(2 / 0.003, 9);
    expect(fast?.samplesPerSecond).toBeCloseTo(32 / 0.003, 9);
  });

  test('compares the forward pass with the forward pass, where it was timed', () => {
    expect(fast?.forward).toBeUndefined();
    expect(scan?.forward).toMatchObject({ median: 3, speedup: 10, saving: 2.5 });
  });

  test('keeps every single time', () => {
    expect(fast?.training.milliseconds).toEqual([3, 2, 1, 4, 5]);
  });
});

test('a quantile lies between two values by linear interpolation', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75);
  expect(quantile([7], 0.75)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});

describe('operations of a pass', () => {
  const size = { inputSize: 100, units: 256, steps: 128, batch: 64, bidirectional: false, inputGradient: false };

  test('are two for each multiply-add of all steps and sequences', () => {
    const { inputMacs, recurrentMacs } = cost('LSTM', size);
    expect(inputMacs + recurrentMacs).toBe(4 * 100 * 256 + 4 * 256 * 256);
    expect(passFlops('LSTM', size).forward).toBe(2 * 128 * 64 * (4 * 100 * 256 + 4 * 256 * 256));
  });

  test('in training are three products of each kind, without the gradient of the input two of the input', () => {
    const both = passFlops('LSTM3', { ...size, inputGradient: true });
    expect(both.training).toBe(3 * both.forward);
    const dx = 2 * 128 * 64 * 100 * 256;
    expect(passFlops('LSTM3', size).training).toBe(3 * both.forward - dx);
  });

  test('double with the directions', () => {
    const { forward, training } = passFlops('LSTM10', size);
    expect(passFlops('LSTM10', { ...size, bidirectional: true })).toEqual({
      forward: 2 * forward,
      training: 2 * training,
    });
  });
});
