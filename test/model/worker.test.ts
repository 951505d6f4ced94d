import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

// Worker threads load JavaScript alone, so they get the package in one file. It lies one folder below the root, where
// src/ and dist/ lie too, and finds the addon from there.
const bundle = fileURLToPath(new URL(`../../build/worker-test-${process.pid}.mjs`, import.meta.url));

beforeAll(async () => {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'node20',
      ssr: fileURLToPath(new URL('../../src/index.ts', import.meta.url)),
    },
  });
  const [output] = (Array.isArray(result) ? result[0]?.output : 'output' in result ? result.output : []) ?? [];
  if (output?.type !== 'chunk') throw new Error('no bundle was made');
  writeFileSync(bundle, output.code);
});

afterAll(() => rmSync(bundle, { force: true }));

const training = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { layers, sequential } = await import(workerData.bundle);
  const [rows, steps] = [6400, 50];
  const model = sequential(
    [layers.embedding({ inputDim: 40, outputDim: 16 }), layers.lstm({ units: 32 }), layers.dense({ units: 2, activation: 'softmax' })],
    { inputShape: [steps], seed: 1, threads: workerData.threads },
  );
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const data = Int32Array.from({ length: rows * steps }, (_, i) => (i * 7919) % 40);
  const y = Int32Array.from({ length: rows }, (_, row) => row % 2);
  await model.fit({ data, shape: [rows, steps] }, y, {
    epochs: workerData.epochs,
    verbose: 0,
    callbacks: [{ onProgress: () => parentPort.postMessage('training') }],
  });
  const kernel = model.weights()['dense/kernel'].data;
  parentPort.postMessage(Array.from(kernel));
`;

function start(epochs: number, threads: number): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(training)}`), {
    workerData: { bundle, epochs, threads },
  });
}

const message = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });

test('20 workers ended in the middle of fit leave the process and its models alive', async () => {
  for (let i = 0; i < 20; i++) {
    const worker = start(1000, 1 + (i % 2));
    expect(await message(worker)).toBe('training');
    // Now and then in the middle of a step, now and then right at a progress event.
    if (i % 3 > 0) await new Promise((resolve) => setTimeout(resolve, (i * 7) % 30));
    expect(await worker.terminate()).toBe(1);
  }
  const { layers, sequential } = await import('../../src/index.js');
  using model = sequential([layers.dense({ units: 1 })], { inputShape: [2] });
  expect((await model.predict([[1, 2]])).shape).toEqual([1, 1]);
});

test('models train in several workers at once, to the same weights', async () => {
  const results = await Promise.all(
    [1, 2].map(async (threads) => {
      const worker = start(1, threads);
      for (;;) {
        const answer = await message(worker);
        if (Array.isArray(answer)) return answer;
      }
    }),
  );
  expect(results[0]).toHaveLength(64);
  expect(results[1]).toEqual(results[0]);
});
