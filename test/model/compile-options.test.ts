import { describe, expect, test } from 'vitest';
import { InvalidArgumentError, InvalidModelError, optimizers } from '../../src/index.js';
import { classWeights } from '../../src/model/class-weights.js';
import { lossName, targetForm } from '../../src/model/losses.js';
import { joined, logsOf, metricNames, resolveMetrics } from '../../src/model/metrics.js';
import { nativeOptimizer, optimizerFromJSON, resolveOptimizer } from '../../src/model/optimizers.js';

describe('optimizers', () => {
  test("have Keras 3's defaults", () => {
    expect(optimizers.sgd().toJSON()).toEqual({ kind: 'sgd', learningRate: 0.01, momentum: 0, nesterov: false });
    expect(optimizers.rmsprop().toJSON()).toEqual({
      kind: 'rmsprop',
      learningRate: 0.001,
      rho: 0.9,
      momentum: 0,
      epsilon: 1e-7,
      centered: false,
    });
    const adam = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, amsgrad: false };
    expect(optimizers.adam().toJSON()).toEqual({ kind: 'adam', ...adam });
    expect(optimizers.adamw().toJSON()).toEqual({ kind: 'adamw', ...adam, weightDecay: 0.004 });
  });

  test('survive JSON', () => {
    const made = [
      optimizers.sgd({ momentum: 0.9, nesterov: true, clipvalue: 0.5 }),
      optimizers.rmsprop({ learningRate: 2e-3, centered: true, globalClipnorm: 1 }),
      optimizers.adam({ amsgrad: true, clipnorm: 1 }),
      optimizers.adamw({ weightDecay: 0 }),
    ];
    for (const optimizer of made) expect(optimizerFromJSON(JSON.parse(JSON.stringify(optimizer)))).toEqual(optimizer);
  });

  test('tell the engine what is off', () => {
    expect(nativeOptimizer(optimizers.sgd())).toMatchObject({ clipNorm: 0, globalClipNorm: 0, clipValue: 0 });
    expect(nativeOptimizer(optimizers.sgd({ clipnorm: 2 }))).toMatchObject({ clipNorm: 2, clipValue: 0 });
    expect(nativeOptimizer(optimizers.sgd({ globalClipnorm: 3 }))).toMatchObject({ globalClipNorm: 3 });
  });

  test.each([
    [() => optimizers.sgd({ learningRate: -1 }), /for learningRate but received -1/],
    [() => optimizers.sgd({ momentum: 1.5 }), /from 0 to 1 for momentum/],
    [() => optimizers.rmsprop({ rho: 1 }), /below 1 for rho/],
    [() => optimizers.adam({ beta_1: 0.9 } as never), /did you mean beta1\?/],
    [() => optimizers.adam({ epsilon: Number.NaN }), /for epsilon/],
    [() => optimizers.adam({ clipnorm: 0 }), /positive number for clipnorm/],
    [() => optimizers.adam({ clipnorm: 1, clipvalue: 1 }), /at most one of .* received clipnorm and clipvalue/],
    [() => resolveOptimizer('adamm'), /did you mean adam\?/],
    [() => resolveOptimizer({ kind: 'sgd' }), /^Expected an optimizer/],
  ])('refuse %s', (make, message) => {
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
  });
});

describe('losses', () => {
  test('take the targets of their kind', () => {
    expect(targetForm('sparseCategoricalCrossentropy', [20])).toMatchObject({
      dataType: 'int32',
      width: 1,
      classes: 20,
    });
    expect(targetForm('categoricalCrossentropy', [20])).toMatchObject({ width: 20, classes: 0, range: [0, 1] });
    expect(targetForm('binaryCrossentropy', [1])).toMatchObject({ width: 1, rowShapes: [[], [1]], range: [0, 1] });
    expect(targetForm('meanSquaredError', [3])).toMatchObject({ width: 3, range: null });
  });

  test.each([
    [() => lossName('sparse_categorical_crossentropy'), /did you mean sparseCategoricalCrossentropy\?/],
    [() => lossName(undefined), /for loss but received undefined/],
    [() => targetForm('meanSquaredError', [7, 3]), /the model gives \[7, 3\].*flatten/],
    [() => targetForm('sparseCategoricalCrossentropy', [1]), /use loss 'binaryCrossentropy'/],
  ])('refuse %s', (make, message) => {
    expect(make).toThrow(message);
  });

  test('name the class of their errors', () => {
    expect(() => targetForm('meanSquaredError', [7, 3])).toThrow(InvalidModelError);
  });
});

describe('metrics', () => {
  const run = { samples: 10, loss: 0.5, accuracy: 0.25, topK: 0.75 };

  test('give the numbers that were asked for, under their names', () => {
    const both = resolveMetrics(['accuracy', { topK: 3 }], 'sparseCategoricalCrossentropy', 20);
    expect(metricNames(both)).toEqual(['loss', 'accuracy', 'topKCategoricalAccuracy']);
    expect(logsOf(run, both)).toEqual({ loss: 0.5, accuracy: 0.25, topKCategoricalAccuracy: 0.75 });
    expect(logsOf(run, resolveMetrics([], 'meanSquaredError', 1))).toEqual({ loss: 0.5 });
    expect(resolveMetrics(['topKCategoricalAccuracy'], 'categoricalCrossentropy', 20).topK).toBe(5);
  });

  test('of two runs are weighed by their samples', () => {
    const other = { samples: 30, loss: 1.5, accuracy: 0.75, topK: 0.75 };
    expect(joined(run, other)).toEqual({ samples: 40, loss: 1.25, accuracy: 0.625, topK: 0.75 });
    expect(joined({ ...run, samples: 0, loss: Number.NaN }, other)).toEqual(other);
  });

  test.each([
    [['acc'], 'sparseCategoricalCrossentropy', /did you mean accuracy\?/],
    [['accuracy'], 'meanSquaredError', /no metric accuracy/],
    [[{ topK: 2 }], 'binaryCrossentropy', /no classes to rank/],
    [[{ topK: 21 }], 'sparseCategoricalCrossentropy', /20 outputs/],
    [[{ topK: 0 }], 'sparseCategoricalCrossentropy', /^Expected a positive integer for topK/],
    [[{ topk: 2 }], 'sparseCategoricalCrossentropy', /did you mean topK\?/],
    [[{ topK: 2 }, { topK: 3 }], 'sparseCategoricalCrossentropy', /received 2 and 3/],
    ['accuracy', 'sparseCategoricalCrossentropy', /^Expected an array of metrics/],
  ] as const)('refuse %j with %s', (metrics, loss, message) => {
    expect(() => resolveMetrics(metrics, loss, 20)).toThrow(InvalidArgumentError);
    expect(() => resolveMetrics(metrics, loss, 20)).toThrow(message);
  });
});

describe('class weights', () => {
  const compiled = (loss: Parameters<typeof targetForm>[0], outputs: number) => ({
    optimizer: optimizers.sgd(),
    loss,
    metrics: { accuracy: false, topK: 0 },
    targets: targetForm(loss, [outputs]),
  });

  test('are 1 where none is given', () => {
    const weights = classWeights({ 1: 2.5, 3: 0 }, compiled('sparseCategoricalCrossentropy', 4));
    expect(weights).toEqual(new Float32Array([1, 2.5, 1, 0]));
    expect(classWeights({ 1: 3 }, compiled('binaryCrossentropy', 1))).toEqual(new Float32Array([1, 3]));
    expect(classWeights(undefined, compiled('meanSquaredError', 1))).toBeUndefined();
  });

  test.each([
    [{ 4: 1 }, 'sparseCategoricalCrossentropy', 4, /class ids in \[0, 4\)/],
    [{ '01': 1 }, 'sparseCategoricalCrossentropy', 4, /class ids/],
    [{ 0: -1 }, 'sparseCategoricalCrossentropy', 4, /classWeight\[0\]/],
    [[1, 2], 'sparseCategoricalCrossentropy', 4, /^Expected an object/],
    [{ 0: 1 }, 'meanSquaredError', 4, /no classWeight with loss meanSquaredError/],
    [{ 0: 1 }, 'binaryCrossentropy', 4, /no classWeight/],
  ] as const)('%j with %s over %i outputs is refused', (value, loss, outputs, message) => {
    expect(() => classWeights(value, compiled(loss, outputs))).toThrow(message);
  });
});
