import { expect, test } from 'vitest';
import { layerSpeedLines, networkSpeedLines, unsteadyWarning } from '../../src/report/speed-table.js';
import { comparedVariants } from '../../src/timing/comparison.js';

const timed = [
  {
    name: 'LSTM',
    parameters: 131_584,
    forward: { flops: 2_147_483_648, milliseconds: [20, 10, 30] },
    training: { flops: 5_368_709_120, milliseconds: [50, 50, 50] },
  },
  {
    name: 'LSTM10',
    parameters: 17_024,
    forward: { flops: 268_435_456, milliseconds: [4, 4, 4] },
    training: { flops: 536_870_912, milliseconds: [8, 10, 12.5] },
  },
];

test('a layer has a table for each pass, in columns', () => {
  expect(layerSpeedLines('T 128', comparedVariants(timed, 'LSTM', 64))).toEqual([
    'T 128: forward',
    '        parameters    FLOP    ms   spread  GFLOP/s  x LSTM  saving',
    'LSTM       131,584  2.15 G  20.0  ±25.0 %    107.4    1.00    1.00',
    'LSTM10      17,024   268 M  4.00   ±0.0 %     67.1    5.00    0.63',
    '',
    'T 128: forward + backward',
    '        parameters    FLOP    ms   spread  GFLOP/s  x LSTM  saving',
    'LSTM       131,584  5.37 G  50.0   ±0.0 %    107.4    1.00    1.00',
    'LSTM10      17,024   537 M  10.0  ±11.3 %     53.7    5.00    0.50',
  ]);
});

test('a network has one, with samples a second', () => {
  expect(networkSpeedLines('The network', comparedVariants(timed, 'LSTM', 64))).toEqual([
    'The network: training step',
    '        parameters    FLOP    ms   spread  GFLOP/s  samples/s  x LSTM  saving',
    'LSTM       131,584  5.37 G  50.0   ±0.0 %    107.4      1,280    1.00    1.00',
    'LSTM10      17,024   537 M  10.0  ±11.3 %     53.7      6,400    5.00    0.50',
  ]);
});

test('times that spread by more than a tenth of their median bring a warning, others none', () => {
  expect(unsteadyWarning(comparedVariants(timed, 'LSTM', 64))).toMatch(/up to ±25 %/);
  const steady = timed.map((variant) => ({ ...variant, forward: { flops: 1, milliseconds: [1, 1.1, 1.2] } }));
  expect(unsteadyWarning(comparedVariants([steady[0] as (typeof steady)[0]], 'LSTM', 64))).toBeNull();
  expect(unsteadyWarning([])).toBeNull();
});
