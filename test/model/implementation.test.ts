/** Whose LSTM computes a layer, on the CPU: this package's alone. On a GPU: test/gpu/implementation.test.ts. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DeviceError, type Layer, layers, loadModel, sequential, timeLayer } from '../../src/index.js';
import type { LstmImplementation } from '../../src/layers/lstm.js';
import { temporaryFolder } from '../temporary-folder.js';

const root = temporaryFolder();
const STEPS = 5;

const network = (implementation: LstmImplementation): Layer[] => [
  layers.bidirectional(layers.lstm({ units: 4, implementation, returnSequences: true })),
  layers.lstm({ units: 3, implementation, name: 'last' }),
];
const modelOf = (network: readonly Layer[]) =>
  sequential(network, { inputShape: [STEPS, 2], device: 'cpu', threads: 1, seed: 3 });
const x = { data: Float32Array.from({ length: 4 * STEPS * 2 }, (_, i) => Math.sin(i)), shape: [4, STEPS, 2] };

test("'auto' and 'slim' are the same on the CPU", async () => {
  using own = modelOf(network('slim'));
  using any = modelOf(network('auto'));
  expect((await own.predict(x)).data).toEqual((await any.predict(x)).data);
});

test("a model that asks for 'cudnn' is refused by the CPU when it is made, with the layer and the remedy", () => {
  const refused = () => modelOf([...network('slim').slice(0, 1), ...network('cudnn').slice(1)]);
  expect(refused).toThrow(DeviceError);
  expect(refused).toThrow(
    "The implementation 'cudnn' needs a CUDA device but the device is the CPU; use device 'cuda', or the implementation " +
      "'auto', which every device has and a saved model may be loaded with (layer last)",
  );
  expect(() => modelOf(network('cudnn'))).toThrow(/\(layer bidirectional\)$/);
});

test('a layer that is timed is refused likewise', async () => {
  const timed = timeLayer({ steps: 3, batch: 2, inputSize: 2, units: 2, device: 'cpu', implementation: 'cudnn' });
  await expect(timed).rejects.toBeInstanceOf(DeviceError);
});

test('the implementation is saved; a model from before there was one has the default', async () => {
  const path = join(root, 'model');
  using model = modelOf(network('slim'));
  await model.save(path);
  const file = join(path, 'model.json');
  const text = readFileSync(file, 'utf8');
  const saved = JSON.parse(text) as { layers: { config: Record<string, unknown> }[] };
  expect(saved.layers[1]?.config.implementation).toBe('slim');
  expect(saved.layers[0]?.config.layer).toMatchObject({ implementation: 'slim' });

  const before = text.replaceAll(/\n *"implementation": "slim",/g, '');
  expect(before).not.toContain('implementation');
  writeFileSync(file, before);
  using earlier = await loadModel(path, { device: 'cpu' });
  expect((await earlier.predict(x)).data).toEqual((await model.predict(x)).data);

  writeFileSync(file, text.replaceAll('"implementation": "slim"', '"implementation": "cudnn"'));
  await expect(loadModel(path, { device: 'cpu' })).rejects.toBeInstanceOf(DeviceError);
});

test("a model that was saved with 'cudnn' runs on the CPU once another implementation takes its place", async () => {
  const path = join(root, 'elsewhere');
  using model = modelOf([...network('auto'), layers.dense({ units: 2, name: 'end' })]);
  await model.save(path);
  const file = join(path, 'model.json');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"implementation": "auto"', '"implementation": "cudnn"'));
  await expect(loadModel(path, { device: 'cpu' })).rejects.toThrow(/a saved model may be loaded with/);

  using loaded = await loadModel(path, { device: 'cpu', implementation: 'slim' });
  expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
  expect(loaded.layers.map(({ name }) => name)).toEqual(['bidirectional', 'last', 'end']);
  expect(loaded.layers[1]?.config).toMatchObject({ implementation: 'slim', units: 3 });
  // It is the model's own from then on.
  await loaded.save(path);
  using again = await loadModel(path, { device: 'cpu' });
  expect(again.layers[0]?.config).toMatchObject({ layer: { implementation: 'slim', returnSequences: true } });
  const wrong = 'cuddn' as LstmImplementation;
  await expect(loadModel(path, { implementation: wrong })).rejects.toThrow(/implementation.*did you mean/);
});
