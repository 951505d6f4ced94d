import { describe, expect, test } from 'vitest';
import { InvalidFileError } from '../../src/index.js';
import { parseModelFile } from '../../src/model/checkpoint/model-file.js';

const valid = {
  format: 'slim-lstm model',
  version: 1,
  seed: 7,
  precision: 'tf32',
  inputShape: [9],
  layers: [
    { kind: 'embedding', name: 'embedding', config: { inputDim: 30, outputDim: 4 } },
    { kind: 'bidirectional', name: 'both', config: { layer: { units: 3, variant: 'LSTM3' }, mergeMode: 'sum' } },
    { kind: 'dense', name: 'dense', config: { units: 2, activation: 'softmax' } },
  ],
  training: {
    optimizer: { kind: 'adam', learningRate: 0.01, beta1: 0.8 },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy', { topK: 2 }],
    learningRate: 0.005,
  },
  text: { padding: 'pre', truncating: 'post', classNames: ['no', 'yes'] },
};

test('a description becomes the model it describes', () => {
  const { architecture, seed, precision, training, text } = parseModelFile(JSON.stringify(valid), 'model.json');
  expect(seed).toBe(7);
  expect(precision).toBe('tf32');
  expect(architecture.layers.map(({ name, layer }) => [name, layer.kind])).toEqual([
    ['embedding', 'embedding'],
    ['both', 'bidirectional'],
    ['dense', 'dense'],
  ]);
  expect(architecture.outputShape).toEqual([2]);
  expect(training?.optimizer.config).toMatchObject({ beta1: 0.8, beta2: 0.999 });
  expect(training?.learningRate).toBe(0.005);
  expect(training?.metrics).toEqual({ accuracy: true, topK: 2 });
  expect(text).toEqual({ padding: 'pre', truncating: 'post', classNames: ['no', 'yes'] });
});

test('a description from before there were precisions is one in float32', () => {
  const { precision: _, ...before } = valid;
  expect(parseModelFile(JSON.stringify(before), 'model.json').precision).toBe('float32');
});

type Change = (model: typeof valid & Record<string, unknown>) => unknown;

/** The valid description with one change, as text. */
function changed(change: Change): string {
  const model = structuredClone(valid) as typeof valid & Record<string, unknown>;
  return JSON.stringify(change(model) ?? model);
}

const set =
  (path: string, value: unknown): Change =>
  (model) => {
    const keys = path.split('.');
    const last = keys.pop() as string;
    const place = keys.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], model);
    Object.defineProperty(place, last, { value, enumerable: true, configurable: true, writable: true });
  };

describe('a description that is damaged or hostile', () => {
  test.each<[string, string, string]>([
    ['no JSON', '{', 'JSON'],
    ['nothing', '', 'JSON'],
    ['an array', '[]', 'FORMAT'],
    ['another format', changed(set('format', 'keras')), 'FORMAT'],
    ['a version to come', changed(set('version', 2)), 'VERSION'],
    ['a key twice', '{"format":"slim-lstm model","format":"slim-lstm model"}', 'DUPLICATE_KEY'],
    ['an unknown field', changed(set('more', 1)), 'FIELDS'],
    ['__proto__ as a field', changed(set('__proto__', { a: 1 })), 'FIELDS'],
    ['no seed', changed(({ seed: _, ...rest }) => rest), 'FIELDS'],
    ['a seed that is no number', changed(set('seed', '7')), 'FIELDS'],
    ['a precision that is none', changed(set('precision', 'float16')), 'FIELDS'],
    ['layers that are no array', changed(set('layers', {})), 'FIELDS'],
    ['no layers', changed(set('layers', [])), 'LAYER'],
    ['two thousand layers', changed(set('layers', Array(2000).fill(valid.layers[2]))), 'LAYER'],
    ['an unknown kind', changed(set('layers.2.kind', 'attention')), 'LAYER'],
    ['a kind from the prototype', changed(set('layers.2.kind', 'constructor')), 'LAYER'],
    ['a layer without config', changed(set('layers.2', { kind: 'dense', name: 'dense' })), 'LAYER'],
    ['a layer with more', changed(set('layers.2.extra', 1)), 'LAYER'],
    ['a name in a config', changed(set('layers.2.config.name', 'other')), 'LAYER'],
    ['__proto__ in a config', changed(set('layers.2.config.__proto__', {})), 'LAYER'],
    ['an unknown option', changed(set('layers.2.config.unit', 3)), 'LAYER'],
    ['zero units', changed(set('layers.2.config.units', 0)), 'LAYER'],
    ['units beyond all sizes', changed(set('layers.2.config.units', 1e18)), 'LAYER'],
    ['an unknown variant', changed(set('layers.1.config.layer.variant', 'LSTM9')), 'LAYER'],
    [
      'an unstable variant',
      changed(
        set('layers.1.config.layer.variant', {
          name: 'mine',
          input: { constant: 1 },
          forget: { constant: 2 },
          candidate: { input: true },
          output: { constant: 1 },
        }),
      ),
      'LAYER',
    ],
    ['a bidirectional layer without its layer', changed(set('layers.1.config', { mergeMode: 'sum' })), 'LAYER'],
    ['a name given twice', changed(set('layers.2.name', 'both')), 'LAYER'],
    ['an input of no size', changed(set('inputShape', [0])), 'LAYER'],
    ['an input of the wrong rank', changed(set('inputShape', [9, 9])), 'LAYER'],
    ['a product of sizes that overflows', changed(set('inputShape', [2 ** 40])), 'LAYER'],
    ['an unknown loss', changed(set('training.loss', 'hinge')), 'TRAINING'],
    ['an unknown optimizer', changed(set('training.optimizer.kind', 'lion')), 'TRAINING'],
    ['an unknown option of the optimizer', changed(set('training.optimizer.beta_1', 0.9)), 'TRAINING'],
    ['a learning rate below 0', changed(set('training.learningRate', -1)), 'TRAINING'],
    ['more classes to find than outputs', changed(set('training.metrics', [{ topK: 3 }])), 'TRAINING'],
    ['training that is no object', changed(set('training', 'yes')), 'TRAINING'],
    ['an unknown padding', changed(set('text.padding', 'left')), 'TEXT'],
    ['class names that are no strings', changed(set('text.classNames', [1, 2])), 'TEXT'],
  ])('%s', (_, text, code) => {
    let error: unknown;
    try {
      parseModelFile(text, 'model.json');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidFileError);
    expect((error as InvalidFileError).code).toBe(`ERR_MODEL_FILE_${code}`);
    expect((error as InvalidFileError).message).toMatch(/^model\.json is no valid model file: /);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });
});
