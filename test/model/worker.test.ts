import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
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
  mkdirSync(dirname(bundle), { recursive: true });
  writeFileSync(bundle, output.code);
});

afterAll(() => rmSync(bundle, { force: true }));

function start(epochs: number, threads: number): Worker {
  return new Worker(new URL('./training-worker.mjs', import.meta.url), {
    workerData: { bundle: pathToFileURL(bundle).href, epochs, threads },
  });
}

/** Threads of this process, where the system tells. */
function threadCount(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}

test('20 workers ended in the middle of fit leave the process and its models alive, and no thread behind', async () => {
  const before = threadCount();
  for (let i = 0; i < 20; i++) {
    const worker = start(1000, 1 + (i % 2));
    const [message] = await once(worker, 'message');
    expect(message).toBe('training');
    // Now and then in the middle of a step, now and then right at a progress event.
    if (i % 3 > 0) await new Promise((resolve) => setTimeout(resolve, (i * 7) % 30));
    expect(await worker.terminate()).toBe(1);
  }
  // Node starts a few of its own meanwhile; an engine that stayed would be one or two for each worker.
  expect(threadCount() - before).toBeLessThan(10);
  const { layers, sequential } = await import('../../src/index.js');
  using model = sequential([layers.dense({ units: 1 })], { inputShape: [2] });
  expect((await model.predict([[1, 2]])).shape).toEqual([1, 1]);
});

test('models train in several workers at once, to the same weights', async () => {
  const results = await Promise.all(
    [1, 2].map((threads) => {
      const worker = start(1, threads);
      return new Promise<unknown>((resolve, reject) => {
        worker.on('error', reject);
        worker.on('message', (message) => {
          if (Array.isArray(message)) resolve(message);
        });
      });
    }),
  );
  expect(results[0]).toHaveLength(64);
  expect(results[1]).toEqual(results[0]);
});
