/**
 * slim-lstm as a contestant of `bench/peers.mjs`, asked as `instrument/contestant.mjs` tells.
 *
 *     node bench/contestants/ours.mjs THREADS
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { kentSalemLayers } from '../../dist/experiments/kent-salem.js';
import { layers, optimizers, sequential, timeLayer } from '../../dist/index.js';
import { readArrays, writeArrays } from '../instrument/arrays.mjs';

const threads = Number(process.argv[2]);
const engine = { device: 'cpu', threads };
const networks = new Map();
const tokens = new Map();

function tokensIn(folder) {
  if (!tokens.has(folder)) tokens.set(folder, readArrays(folder).ids.data);
  return tokens.get(folder);
}

/** `samples` training steps of a layer, behind an embedding where there are token ids in a folder. */
async function layer({ samples, folder, vocabulary, maskZero = false, ...setting }) {
  const { training, flops } = await timeLayer({
    ...setting,
    ...engine,
    ...(folder === undefined ? {} : { tokens: { ids: tokensIn(folder), vocabulary, maskZero } }),
    repeats: samples,
    warmups: 1,
  });
  return { milliseconds: training, flops: flops.training };
}

const uniform = (shape, scale) => {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { data: Float32Array.from({ length: size }, () => scale * (2 * Math.random() - 1)), shape };
};

/** Writes a batch, weights, loss and gradients to the folder, for the peers to compute the same. */
async function reference({ variant, steps, batch, inputSize, units, vocabulary, folder }) {
  const ids = { data: Int32Array.from({ length: batch * steps }, () => Math.floor(vocabulary * Math.random())) };
  const x = vocabulary === undefined ? uniform([batch, steps, inputSize], 1) : { ...ids, shape: [batch, steps] };
  const y = uniform([batch, units], 1);
  const embedding = vocabulary === undefined ? [] : [layers.embedding({ inputDim: vocabulary, outputDim: inputSize })];
  const inputShape = vocabulary === undefined ? [steps, inputSize] : [steps];
  const model = sequential([...embedding, layers.lstm({ units, variant })], { inputShape, ...engine, seed: 1 });
  const drawn = Object.entries(model.weights()).map(([name, { shape }]) => [name, uniform(shape, 0.2)]);
  model.setWeights(Object.fromEntries(drawn));
  model.compile({ optimizer: optimizers.sgd(), loss: 'meanSquaredError' });
  const { loss } = await model.evaluate(x, y, { batchSize: batch });
  const gradients = Object.entries(await model.gradients(x, y, { batchSize: batch }));
  model.dispose();
  const lastPart = (name) => name.slice(name.lastIndexOf('/') + 1);
  writeArrays(folder, {
    ...{ x, y, loss: { data: Float32Array.of(loss), shape: [1] } },
    ...Object.fromEntries(drawn.map(([name, tensor]) => [lastPart(name), tensor])),
    ...Object.fromEntries(gradients.map(([name, tensor]) => [`gradient_${lastPart(name)}`, tensor])),
  });
  return {};
}

/** The network of Kent & Salem on posts of the folder. */
async function network({ key, folder, variant, batchSize }) {
  const { x, y, vectors } = readArrays(folder);
  const classes = Math.max(...y.data) + 1;
  const model = sequential(kentSalemLayers({ words: vectors.shape[0], vectors, classes, variant }), {
    ...engine,
    inputShape: [x.shape[1]],
    seed: 1,
  });
  model.compile({ optimizer: optimizers.rmsprop({ learningRate: 1e-3 }), loss: 'sparseCategoricalCrossentropy' });
  networks.set(key, { model, x, y, batchSize });
  return {};
}

/** An epoch; the first call's, in which the engine plans its memory, should not count. */
async function timeNetwork({ key }) {
  const { model, x, y, batchSize } = networks.get(key);
  let postsPerSecond;
  const clock = {
    onProgress({ samples, seconds }) {
      postsPerSecond = samples / seconds;
    },
  };
  await model.fit(x, y, { batchSize, epochs: 1, verbose: 0, callbacks: [clock] });
  return { postsPerSecond: [postsPerSecond] };
}

const residentBytes = (field) =>
  1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);

/** Bytes that a training step adds at its peak: data, weights, what the backward pass keeps, the update. */
async function memory({ variant, steps, batch, inputSize, units }) {
  const train = async (size, epochs) => {
    const shape = [size.steps, size.inputSize];
    const model = sequential([layers.lstm({ units: size.units, variant })], { inputShape: shape, ...engine, seed: 1 });
    model.compile({ optimizer: optimizers.sgd({ learningRate: 0.01 }), loss: 'meanSquaredError' });
    const x = uniform([size.batch, ...shape], 1);
    const y = uniform([size.batch, size.units], 1);
    await model.fit(x, y, { batchSize: size.batch, epochs, verbose: 0 });
    const planned = Object.values(model.memory()).reduce((sum, bytes) => sum + bytes, 0);
    model.dispose();
    return planned;
  };
  await train({ steps: 2, batch: 2, inputSize: 8, units: 8 }, 2);
  const before = residentBytes('VmRSS');
  writeFileSync('/proc/self/clear_refs', '5');
  const planned = await train({ steps, batch, inputSize, units }, 3);
  return { bytes: residentBytes('VmHWM') - before, planned };
}

function describe() {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return { 'slim-lstm': version, 'Node.js': process.versions.node };
}

const calls = { describe, layer, reference, network, 'time-network': timeNetwork, memory };

for await (const line of createInterface({ input: process.stdin })) {
  const space = line.indexOf(' ');
  const answer = await Promise.resolve()
    .then(() => calls[line.slice(0, space)](JSON.parse(line.slice(space + 1))))
    .catch((error) => ({ error: `${error.name}: ${error.message}` }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
