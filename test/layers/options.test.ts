import { describe, expect, test } from 'vitest';
import { defineVariant, InvalidArgumentError, layers } from '../../src/index.js';

/** Calls without types, as a JavaScript program may. */
const loose = layers as unknown as Record<string, (...options: unknown[]) => { readonly config: object }>;

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as InvalidArgumentError).code).toBe('ERR_INVALID_ARGUMENT');
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('options of layers that cannot be', () => {
  const cases: [call: string, options: unknown, message: string | RegExp][] = [
    ['dense', { units: 0 }, 'Expected a positive integer for units but received 0 of type number'],
    ['dense', { units: '8' }, 'Expected a positive integer for units but received "8" of type string'],
    ['dense', {}, 'Expected a positive integer for units but received undefined'],
    ['dense', { units: 2 ** 31 }, /^Expected a positive integer for units/],
    ['dense', { units: 4, unit: 3 }, 'Unknown option unit for layers.dense; did you mean units?'],
    ['dense', { units: 4, activation: 'relus' }, /activation but received "relus".*did you mean relu\?/],
    ['dense', { units: 4, useBias: 1 }, 'Expected a boolean for useBias but received 1 of type number'],
    ['dense', { units: 4, name: 'a/b' }, /^Expected a name without slash/],
    ['dense', { units: 4, name: '' }, /^Expected a non-empty string for name/],
    ['dense', [4], /^Expected an object for the options of layers.dense/],
    ['dense', { units: 4, kernelInitializer: 'glorot_uniform' }, /did you mean glorotUniform\?/],
    ['dense', { units: 4, kernelInitializer: { kind: 'constant' } }, /kernelInitializer.value but received undefined/],
    ['dense', { units: 4, kernelInitializer: { kind: 'uniform', low: 1, high: 0 } }, /kernelInitializer.high/],
    ['embedding', { inputDim: -1, outputDim: 2 }, /^Expected a positive integer for inputDim/],
    ['embedding', { inputDim: 2, outputDim: 2, weights: [[1, 2]] }, /\[inputDim, outputDim\] = \[2, 2\].*\[1, 2\]/],
    ['embedding', { inputDim: 1, outputDim: 2, weights: [[1, Number.NaN]] }, /NaN in row 0, column 1/],
    ['embedding', { inputDim: 2, outputDim: 2, maskzero: true }, /did you mean maskZero\?/],
    ['conv1d', { filters: 2, kernelSize: 2.5 }, /^Expected a positive integer for kernelSize/],
    ['conv1d', { filters: 2, kernelSize: 2, padding: 'full' }, /^Expected one of valid, same, causal for padding/],
    ['conv1d', { filters: 2, kernelSize: 2, strides: 0 }, /^Expected a positive integer for strides/],
    ['maxPooling1d', { poolSize: 0 }, /^Expected a positive integer for poolSize/],
    ['maxPooling1d', { padding: 'causal' }, /^Expected one of valid, same for padding/],
    ['globalMaxPooling1d', { keepDims: true }, /did you mean keepdims\?/],
    ['dropout', { rate: 1 }, 'Expected a number of 0 or more and below 1 for rate but received 1 of type number'],
    ['dropout', { rate: -0.1 }, /for rate but received -0.1/],
    ['dropout', { rate: Number.NaN }, /for rate but received NaN/],
    ['dropout', undefined, /for rate but received undefined/],
    ['spatialDropout1d', { rate: 2 }, /for rate but received 2/],
    ['lstm', { units: 4, variant: 'LSTM7a' }, /variant but received "LSTM7a".*did you mean LSTM/],
    ['lstm', { units: 4, implementation: 'cuDNN' }, /^Expected one of auto, slim, cudnn for implementation/],
    ['lstm', { units: 4, implementation: null }, /for implementation but received null/],
    ['lstm', { units: 4, activation: 'hardSigmoid' }, /^Expected one of tanh, linear, sigmoid, relu, softmax/],
    ['lstm', { units: 4, recurrentActivation: 'hard_sigmoid' }, /did you mean hardSigmoid\?/],
    ['lstm', { units: 4, dropout: 1 }, /for dropout but received 1/],
    ['lstm', { units: 4, recurrentDropout: '0.3' }, /for recurrentDropout/],
    ['lstm', { units: 4, variant: 'LSTM3', useBias: false }, /useBias true for variant LSTM3, whose input gate/],
    ['lstm', { units: 4, compatibility: 'slim21' }, /for compatibility but received "slim21".*did you mean slim22\?/],
    [
      'lstm',
      { units: 4, variant: 'LSTM4a', constants: { input: 0.5 } },
      'Expected no constant for the input gate of variant LSTM4a, which has constants for forget and output alone',
    ],
    ['lstm', { units: 4, constants: { forget: 0.5 } }, /variant LSTM, which has no constant gate$/],
    ['lstm', { units: 4, variant: 'LSTM6', constants: { forget: 1 } }, /between -1 and 1.*for forget.constant/],
    ['lstm', { units: 4, variant: 'LSTM6', constants: { forget: '0.5' } }, /a finite number for forget.constant/],
    ['lstm', { units: 4, variant: 'LSTM6', constants: { output: 0 } }, /other than 0 for output.constant/],
    ['lstm', { units: 4, variant: 'LSTM6', constants: { forgt: 0.5 } }, /did you mean forget\?/],
    ['lstm', { units: 4, variant: 'LSTM6', constants: 0.5 }, /^Expected an object for constants/],
    ['activation', { activation: 'swish' }, /^Expected one of linear/],
    ['activation', 7, /^Expected the name of an activation/],
    ['flatten', { units: 1 }, 'Unknown option units for layers.flatten; did you mean name?'],
    ['bidirectional', { units: 1 }, /^Expected a layer made by layers.lstm for layer/],
  ];
  test.each(cases)('%s(%j)', (call, options, expected) => {
    const message = messageOf(() => (loose[call] as (options: unknown) => unknown)(options));
    if (typeof expected === 'string') expect(message).toBe(expected);
    else expect(message).toMatch(expected);
  });

  test('bidirectional with an unknown merge mode', () => {
    const lstm = layers.lstm({ units: 2 });
    expect(messageOf(() => loose.bidirectional?.(lstm, { mergeMode: 'avg' }))).toMatch(/did you mean ave\?/);
  });
});

describe('what a layer holds', () => {
  test("Keras' defaults", () => {
    expect(layers.lstm({ units: 3 }).config).toEqual({
      units: 3,
      variant: 'LSTM',
      activation: 'tanh',
      recurrentActivation: 'sigmoid',
      dropout: 0,
      recurrentDropout: 0,
      unitForgetBias: true,
      useBias: true,
      compatibility: 'keras',
      kernelInitializer: 'glorotUniform',
      recurrentInitializer: 'orthogonal',
      biasInitializer: 'zeros',
      returnSequences: false,
      goBackwards: false,
      implementation: 'auto',
      trainable: true,
    });
    expect(layers.maxPooling1d().config).toEqual({ poolSize: 2, strides: 2, padding: 'valid' });
    expect(layers.maxPooling1d({ poolSize: 5 }).config.strides).toBe(5);
    expect(layers.conv1d({ filters: 2, kernelSize: 3 }).config).toMatchObject({
      strides: 1,
      padding: 'valid',
      dilationRate: 1,
      activation: 'linear',
      useBias: true,
    });
    expect(layers.embedding({ inputDim: 3, outputDim: 2 }).config).toEqual({
      inputDim: 3,
      outputDim: 2,
      trainable: true,
      maskZero: false,
      embeddingsInitializer: 'uniform',
    });
  });

  test('nothing in it can be changed', () => {
    const layer = layers.dense({ units: 3 });
    expect(() => Object.assign(layer.config, { units: 4 })).toThrow(TypeError);
    expect(() => Object.assign(layer, { name: 'other' })).toThrow(TypeError);
  });

  test('a config is plain JSON that its factory takes again', () => {
    const variant = defineVariant({
      name: 'mine',
      input: { constant: 1 },
      forget: { bias: true },
      candidate: { input: true, recurrent: 'diagonal' },
      output: { recurrent: 'full' },
    });
    const made = [
      layers.embedding({ inputDim: 9, outputDim: 2, maskZero: true, inputLength: 7 }),
      layers.conv1d({ filters: 2, kernelSize: 3, kernelInitializer: { kind: 'normal', mean: 0, stddev: 1 } }),
      layers.lstm({ units: 3, variant, dropout: 0.5 }),
      layers.lstm({ units: 3, variant: 'LSTM4a', useBias: false }),
      layers.lstm({ units: 3, variant: 'LSTM6', constants: { forget: 0.59 } }),
      layers.lstm({ units: 3, variant: 'LSTM5', compatibility: 'lu2016' }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ];
    for (const layer of made) {
      const again = loose[layer.kind]?.(JSON.parse(JSON.stringify(layer.config)));
      expect(again?.config).toEqual(layer.config);
    }
  });

  test("the caller's vectors are copied", () => {
    const vectors = new Float32Array([1, 2, 3, 4]);
    const layer = layers.embedding({ inputDim: 2, outputDim: 2, weights: { data: vectors, shape: [2, 2] } });
    vectors.fill(0);
    const built = layer.build('e', { shape: [3], tokens: true, maskedBy: null });
    expect(built.presets[0]?.values).toEqual(new Float32Array([1, 2, 3, 4]));
  });
});
