import { describe, expect, test } from 'vitest';
import { InvalidModelError, type Layer, layers } from '../../src/index.js';
import { arrange, parameterShapes } from '../../src/model/architecture.js';
import type { NativeInitializer } from '../../src/native.js';

function shapesAfter(stack: Layer[], inputShape: number[]): (readonly number[])[] {
  return arrange(stack, inputShape).layers.map(({ built }) => built.output.shape);
}

function refusal(stack: Layer[], inputShape: number[]): string {
  try {
    arrange(stack, inputShape);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidModelError);
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('shapes', () => {
  test("the paper's network: 1000 positions become 7 steps of 128", () => {
    const block = () => [
      layers.conv1d({ filters: 128, kernelSize: 5, activation: 'relu' }),
      layers.maxPooling1d({ poolSize: 5 }),
    ];
    const shapes = shapesAfter(
      [
        layers.embedding({ inputDim: 20000, outputDim: 100 }),
        ...block(),
        ...block(),
        ...block(),
        layers.bidirectional(layers.lstm({ units: 128, variant: 'LSTM3' })),
        layers.dense({ units: 20 }),
      ],
      [1000],
    );
    expect(shapes).toEqual([
      [1000, 100],
      [996, 128],
      [199, 128],
      [195, 128],
      [39, 128],
      [35, 128],
      [7, 128],
      [256],
      [20],
    ]);
  });

  // Lengths by Keras 3.15: layers.Conv1D(1, kernel_size=k, strides=s, dilation_rate=d, padding=p).compute_output_shape.
  test.each([
    [10, 3, 1, 1, 'valid', 8],
    [10, 3, 2, 1, 'valid', 4],
    [10, 3, 1, 3, 'valid', 4],
    [10, 3, 2, 1, 'same', 5],
    [11, 3, 2, 1, 'same', 6],
    [10, 3, 1, 2, 'causal', 10],
    [10, 4, 3, 1, 'causal', 4],
    [3, 3, 1, 1, 'valid', 1],
  ] as const)(
    'conv1d over %i steps, kernel %i, strides %i, dilation %i, %s: %i',
    (steps, kernelSize, strides, dilationRate, padding, expected) => {
      const layer = layers.conv1d({ filters: 2, kernelSize, strides, dilationRate, padding });
      expect(shapesAfter([layer], [steps, 4])).toEqual([[expected, 2]]);
    },
  );

  test.each([
    [10, 3, undefined, 'valid', 3],
    [10, 3, 1, 'valid', 8],
    [10, 3, undefined, 'same', 4],
    [10, 3, 2, 'same', 5],
  ] as const)(
    'maxPooling1d over %i steps, pool %i, strides %s, %s: %i',
    (steps, poolSize, strides, padding, expected) => {
      const options = strides === undefined ? { poolSize, padding } : { poolSize, strides, padding };
      expect(shapesAfter([layers.maxPooling1d(options)], [steps, 4])).toEqual([[expected, 4]]);
    },
  );

  test('recurrent layers, with and without sequences, in one direction and two', () => {
    const lstm = (returnSequences: boolean) => layers.lstm({ units: 6, returnSequences });
    expect(shapesAfter([lstm(true), lstm(false)], [5, 3])).toEqual([[5, 6], [6]]);
    expect(shapesAfter([layers.bidirectional(lstm(true))], [5, 3])).toEqual([[5, 12]]);
    expect(shapesAfter([layers.bidirectional(lstm(false), { mergeMode: 'sum' })], [5, 3])).toEqual([[6]]);
  });

  test('dense works on the last axis, flatten joins, globalMaxPooling1d drops the steps', () => {
    expect(shapesAfter([layers.dense({ units: 2 }), layers.flatten()], [5, 3])).toEqual([[5, 2], [10]]);
    expect(shapesAfter([layers.globalMaxPooling1d()], [5, 3])).toEqual([[3]]);
    expect(shapesAfter([layers.globalMaxPooling1d({ keepdims: true })], [5, 3])).toEqual([[1, 3]]);
    expect(shapesAfter([layers.dense({ units: 2 })], [7])).toEqual([[2]]);
  });
});

describe('layers that do not fit together', () => {
  test.each<[string, Layer[], number[], RegExp]>([
    [
      'a kernel longer than the sequence',
      [layers.conv1d({ filters: 1, kernelSize: 6 })],
      [5, 2],
      /sequence of 5 steps.*spans 6/,
    ],
    [
      'a dilated kernel longer than the sequence',
      [layers.conv1d({ filters: 1, kernelSize: 3, dilationRate: 3 })],
      [6, 2],
      /spans 7.*dilationRate/,
    ],
    ['a pool longer than the sequence', [layers.maxPooling1d({ poolSize: 6 })], [5, 2], /poolSize is 6/],
    ['an lstm over vectors', [layers.lstm({ units: 2 })], [5], /layer lstm but received numbers of shape \[5\]/],
    [
      'an embedding in the middle',
      [layers.dense({ units: 2 }), layers.embedding({ inputDim: 3, outputDim: 2 })],
      [5],
      /embedding reads token ids, so it can only be the first/,
    ],
    [
      'a name given twice',
      [layers.dense({ units: 2, name: 'a' }), layers.dense({ units: 2, name: 'a' })],
      [5],
      /received a twice/,
    ],
    [
      'another inputLength',
      [layers.embedding({ inputDim: 3, outputDim: 2, inputLength: 4 })],
      [5],
      /inputLength 4.*inputShape \[5\]/,
    ],
    [
      'weights too large to be addressed',
      [layers.dense({ units: 2 ** 31 - 1 }), layers.dense({ units: 2 ** 31 - 1 })],
      [2 ** 31 - 1],
      /can be addressed for dense\/kernel/,
    ],
  ])('%s', (_, stack, inputShape, message) => {
    expect(refusal(stack, inputShape)).toMatch(message);
  });

  test.each([
    ['conv1d', layers.conv1d({ filters: 1, kernelSize: 1 })],
    ['max_pooling1d', layers.maxPooling1d()],
    ['global_max_pooling1d', layers.globalMaxPooling1d()],
    ['flatten', layers.flatten()],
  ])('a mask that reaches %s is refused with what to do', (name, layer) => {
    const stack = [
      layers.embedding({ inputDim: 3, outputDim: 2, maskZero: true }),
      layers.dropout({ rate: 0.1 }),
      layers.lstm({ units: 2, returnSequences: true }),
      layer,
    ];
    const message = refusal(stack, [5]);
    expect(message).toContain(`Layer ${name} cannot carry the mask of layer embedding`);
    expect(message).toContain('maskZero: false');
    expect(message).toContain('returnSequences');
  });

  test('an lstm without sequences consumes the mask', () => {
    const stack = [
      layers.embedding({ inputDim: 3, outputDim: 2, maskZero: true }),
      layers.spatialDropout1d({ rate: 0.1 }),
      layers.dense({ units: 2 }),
      layers.activation('relu'),
      layers.bidirectional(layers.lstm({ units: 2 })),
      layers.dense({ units: 2 }),
    ];
    const masks = arrange(stack, [5]).layers.map(({ built }) => built.output.maskedBy);
    expect(masks).toEqual(['embedding', 'embedding', 'embedding', 'embedding', null, null]);
  });
});

describe('names and arrays', () => {
  test("layers are named as in Keras, around the user's names", () => {
    const stack = [
      layers.dense({ units: 2 }),
      layers.dense({ units: 2, name: 'dense_1' }),
      layers.dense({ units: 2 }),
      layers.activation('relu'),
    ];
    expect(arrange(stack, [3]).layers.map(({ name }) => name)).toEqual(['dense', 'dense_1', 'dense_2', 'activation']);
  });

  test('a bidirectional slim layer has the arrays of its variant twice', () => {
    const lstm = layers.lstm({ units: 5, variant: 'LSTM4' });
    expect(parameterShapes(arrange([layers.bidirectional(lstm)], [7, 3]))).toEqual([
      { name: 'bidirectional/forward/kernel', shape: [3, 5] },
      { name: 'bidirectional/forward/recurrent_kernel', shape: [5, 5] },
      { name: 'bidirectional/forward/recurrent_diagonal', shape: [3, 5] },
      { name: 'bidirectional/forward/bias', shape: [5] },
      { name: 'bidirectional/backward/kernel', shape: [3, 5] },
      { name: 'bidirectional/backward/recurrent_kernel', shape: [5, 5] },
      { name: 'bidirectional/backward/recurrent_diagonal', shape: [3, 5] },
      { name: 'bidirectional/backward/bias', shape: [5] },
    ]);
  });

  function biasInitializer(layer: Layer): NativeInitializer | undefined {
    const [placed] = arrange([layer], [7, 3]).layers;
    return placed?.built.spec.parameters.find(({ name }) => name.endsWith('bias'))?.initializer;
  }

  test('the forget bias begins at 1 where the variant has one, in its place among the biases', () => {
    expect(biasInitializer(layers.lstm({ units: 4 }))).toEqual({ kind: 'lstmBias', onesFrom: 4, onesTo: 8 });
    expect(biasInitializer(layers.lstm({ units: 4, variant: 'LSTM3' }))).toEqual({
      kind: 'lstmBias',
      onesFrom: 4,
      onesTo: 8,
    });
    expect(biasInitializer(layers.lstm({ units: 4, variant: 'LSTM2' }))).toEqual({ kind: 'zeros' });
    expect(biasInitializer(layers.lstm({ units: 4, unitForgetBias: false }))).toEqual({ kind: 'zeros' });
    expect(biasInitializer(layers.lstm({ units: 4, useBias: false }))).toBeUndefined();
  });

  test('a forget bias of 1 goes before another initializer, as in Keras', () => {
    const layer = layers.lstm({ units: 4, biasInitializer: 'normal' });
    const [placed] = arrange([layer], [7, 3]).layers;
    expect(placed?.built.presets).toEqual([
      { parameter: 'lstm/bias', offset: 4, values: new Float32Array([1, 1, 1, 1]) },
    ]);
  });

  test('the backward direction reads the other way round', () => {
    for (const goBackwards of [false, true]) {
      const [placed] = arrange([layers.bidirectional(layers.lstm({ units: 2, goBackwards }))], [4, 3]).layers;
      const spec = placed?.built.spec;
      if (spec?.kind !== 'bidirectional') throw new Error('another kind');
      expect(spec.forward.goBackwards).toBe(goBackwards);
      expect(spec.backward.goBackwards).toBe(!goBackwards);
    }
  });

  test('both directions have the implementation that the layer asks for', () => {
    for (const implementation of ['auto', 'slim', 'cudnn'] as const) {
      const layer = layers.lstm({ units: 2, implementation });
      const [placed] = arrange([layers.bidirectional(layer)], [4, 3]).layers;
      expect(placed?.built.spec).toMatchObject({ forward: { implementation }, backward: { implementation } });
    }
  });
});
