import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { layers, loadModel, sequential, variants, withConstants } from '../../src/index.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
const x = { data: Float32Array.from({ length: 24 }, (_, i) => Math.cos(i)), shape: [2, 4, 3] };

const modelOf = (layer: ReturnType<typeof layers.lstm>) =>
  sequential([layer], { inputShape: [4, 3], device: 'cpu', seed: 4 });

it('a forget constant of an lstm is what its cell forgets by', async () => {
  using usual = modelOf(layers.lstm({ units: 5, variant: 'LSTM6' }));
  using slower = modelOf(layers.lstm({ units: 5, variant: 'LSTM6', constants: { forget: 0.59 } }));
  using custom = modelOf(
    layers.lstm({ units: 5, variant: { ...variants.LSTM6, name: 'mine', forget: { constant: 0.59 } } }),
  );
  // The same seed draws the same weights.
  expect(slower.weights()).toEqual(usual.weights());
  expect((await slower.predict(x)).data).toEqual((await custom.predict(x)).data);
  expect((await slower.predict(x)).data).not.toEqual((await usual.predict(x)).data);
});

it('constants and compatibility are saved with the model', async () => {
  const path = join(folder, 'model');
  const options = { units: 5, variant: 'LSTM5a', constants: { forget: -0.3, output: 0.8 } } as const;
  using model = modelOf(layers.lstm({ ...options, compatibility: 'slim22' }));
  await model.save(path);
  const saved = JSON.parse(await readFile(join(path, 'model.json'), 'utf8'));
  expect(saved.layers[0].config).toMatchObject({
    variant: { name: 'LSTM5a with forget -0.3, output 0.8', forget: { constant: -0.3 }, output: { constant: 0.8 } },
    compatibility: 'slim22',
  });
  using again = await loadModel(path, { device: 'cpu' });
  expect(again.layers[0]?.config).toEqual(model.layers[0]?.config);
  expect((await again.predict(x)).data).toEqual((await model.predict(x)).data);
});

it('the published constants leave the published name', () => {
  const { config } = layers.lstm({ units: 5, variant: 'LSTM4a', constants: { forget: 0.96, output: 1 } });
  expect(config.variant).toBe('LSTM4a');
});

it('both directions of a bidirectional layer have them', () => {
  const lstm = layers.lstm({ units: 2, variant: 'LSTM_C6', constants: { forget: 0.59 } });
  const { spec } = layers.bidirectional(lstm).build('both', { shape: [4, 3], tokens: false, maskedBy: null });
  expect(spec).toMatchObject({
    forward: { blocks: [{ constant: 1 }, { constant: 0.59 }, {}, { constant: 1 }] },
    backward: { blocks: [{ constant: 1 }, { constant: 0.59 }, {}, { constant: 1 }] },
  });
  expect(withConstants('LSTM_C6', { forget: 0.59 })).toEqual(lstm.variant);
});
