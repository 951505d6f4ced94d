import { expect, test } from 'vitest';
import { cost, layers } from '../../src/index.js';
import { arrange } from '../../src/model/architecture.js';
import { summary } from '../../src/model/summary.js';

test('the table tells layers, shapes, parameters, multiply-adds and totals', () => {
  const stack = [
    layers.embedding({ inputDim: 1000, outputDim: 100, trainable: false, name: 'words' }),
    layers.bidirectional(layers.lstm({ units: 128, variant: 'LSTM3' })),
    layers.dense({ units: 20 }),
  ];
  expect(summary(arrange(stack, [7]), 'cpu (test, 1 thread)', 'float32').split('\n')).toEqual([
    '┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━┓',
    '┃ Layer (type)                         ┃ Output Shape   ┃ Param # ┃ MACs / sample ┃',
    '┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━┩',
    '│ words (Embedding)                    │ (None, 7, 100) │ 100,000 │             0 │',
    '├──────────────────────────────────────┼────────────────┼─────────┼───────────────┤',
    '│ bidirectional (Bidirectional: LSTM3) │ (None, 256)    │  59,392 │       408,576 │',
    '├──────────────────────────────────────┼────────────────┼─────────┼───────────────┤',
    '│ dense (Dense)                        │ (None, 20)     │   5,140 │         5,120 │',
    '└──────────────────────────────────────┴────────────────┴─────────┴───────────────┘',
    ' Total params: 164,532 (642.70 KB)',
    ' Trainable params: 64,532 (252.08 KB)',
    ' Non-trainable params: 100,000 (390.63 KB)',
    ' MACs per sample, forward: 413,696',
    ' Device: cpu (test, 1 thread)',
  ]);
  const { inputMacs, recurrentMacs } = cost('LSTM3', { inputSize: 100, units: 128 });
  expect(2 * 7 * (inputMacs + recurrentMacs)).toBe(408_576);
});

test('a precision for GPUs is told, wherever the model runs', () => {
  const lines = summary(arrange([layers.dense({ units: 1 })], [3]), 'cpu (test, 1 thread)', 'bfloat16').split('\n');
  expect(lines.slice(-2)).toEqual([' Device: cpu (test, 1 thread)', ' Precision on a GPU: bfloat16']);
});
