/** What may go wrong with a GPU, and what must go on after it. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DeviceError, type Layer, layers, OutOfMemoryError, sequential } from '../../src/index.js';
import { weightBytes } from '../model/toy.js';
import { classifier, compiled, describeOnGpu, GPU, gpuFacts, tokenRows } from './gpu.js';

const STEPS = 16;
const { x, y } = tokenRows(64, STEPS, 50, 4);
const training = { epochs: 2, batchSize: 16, verbose: 0 } as const;

afterEach(() => {
  vi.unstubAllEnvs();
});

const memory = gpuFacts()?.memory ?? 0;

const LONG = 512;
const WIDE = 1024;

/** A network whose activations are large and whose weights and data are not. */
function wide(): Layer[] {
  return [
    layers.embedding({ inputDim: 50, outputDim: 8 }),
    layers.lstm({ units: WIDE, variant: 'LSTM10', returnSequences: true }),
    layers.globalMaxPooling1d(),
    layers.dense({ units: 4, activation: 'softmax' }),
  ];
}

/** Rows whose states alone take about that many bytes. */
function wideRows(bytes: number) {
  const rows = Math.ceil(bytes / (4 * LONG * WIDE));
  return { rows, x: { data: new Int32Array(rows * LONG).fill(3), shape: [rows, LONG] } };
}

describeOnGpu('a model that meets the end of the memory', () => {
  it('says with sizes what could not be had, gives the memory back and stays usable', async () => {
    const { x: much, rows } = wideRows(1.5 * memory);
    using model = sequential(wide(), { inputShape: [LONG], device: GPU, seed: 1 });
    for (let attempt = 0; attempt < 3; attempt++) {
      const refused = model.predict(much, { batchSize: rows });
      await expect(refused).rejects.toBeInstanceOf(OutOfMemoryError);
      await expect(refused).rejects.toThrow(/\d/);
    }
    const few = { data: much.data.subarray(0, 2 * LONG), shape: [2, LONG] };
    expect((await model.predict(few)).shape).toEqual([2, 4]);
    model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
    await model.fit(few, Int32Array.of(0, 1), { verbose: 0 });
    using other = compiled(classifier('LSTM'), { steps: STEPS, device: GPU });
    await other.fit(x, y, training);
  });

  it('memory comes back from models that are disposed of', async () => {
    const { x: part, rows } = wideRows(0.04 * memory);
    // More than there is, all together.
    for (let i = 0; i < 30; i++) {
      using model = sequential(wide(), { inputShape: [LONG], device: GPU, seed: 1 });
      expect((await model.predict(part, { batchSize: rows })).shape).toEqual([rows, 4]);
    }
  });
});

describeOnGpu('devices', () => {
  it('an index that there is not is refused with those there are', () => {
    const make = () => sequential(classifier('LSTM'), { inputShape: [STEPS], device: 'cuda:99' });
    expect(make).toThrow(DeviceError);
    expect(make).toThrow(/Cannot use device cuda:99: this machine has cuda:\d.* alone/);
  });

  it('two models train on one GPU at once, each as if it were alone', async () => {
    const build = (variant: string) => compiled(classifier(variant, { units: 96 }), { steps: STEPS, device: GPU });
    const variants = ['LSTM', 'LSTM3', 'LSTM10'];
    const alone = [];
    for (const variant of variants) {
      using model = build(variant);
      await model.fit(x, y, training);
      alone.push(weightBytes(model).toString('hex'));
    }
    const models = variants.map(build);
    await Promise.all(models.map((model) => model.fit(x, y, training)));
    expect(models.map((model) => weightBytes(model).toString('hex'))).toEqual(alone);
    for (const model of models) model.dispose();
  });

  it('a model that is disposed of in the middle of a step ends it, and another goes on', async () => {
    const long = tokenRows(5000, STEPS, 50, 4);
    const model = compiled(classifier('LSTM'), { steps: STEPS, device: GPU });
    const run = model.fit(long.x, long.y, { epochs: 1000, batchSize: 8, verbose: 0 });
    setTimeout(() => model.dispose(), 200);
    await expect(run).rejects.toThrow();
    using other = compiled(classifier('LSTM'), { steps: STEPS, device: GPU });
    await other.fit(x, y, training);
  });
});

// They load the compiled package.
const compiledPackage = existsSync(fileURLToPath(new URL('../../dist/index.js', import.meta.url)));

/** Built with the native tests for a GPU; it loses the first. */
const losingLibrary = fileURLToPath(new URL('../../build/gpu/cmake/test/libslim_lstm_lose_device.so', import.meta.url));

describe.skipIf(!compiledPackage)('with the compiled package', () => {
  describeOnGpu('several at once', () => {
    const script = new URL('./training-process.mjs', import.meta.url);
    const options = { device: GPU, epochs: 3, seed: 4 };
    const inProcess = async (given: object) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [fileURLToPath(script), JSON.stringify({ ...options, ...given })],
        { maxBuffer: 1 << 24 },
      );
      return stdout;
    };

    it('workers that are ended in the middle of a step leave the process and its models alive', async () => {
      for (let i = 0; i < 10; i++) {
        const worker = new Worker(script, { workerData: { ...options, epochs: 100_000 } });
        const [message] = await once(worker, 'message');
        expect(message).toBe('training');
        await new Promise((resolve) => setTimeout(resolve, (i * 7) % 30));
        expect(await worker.terminate()).toBe(1);
      }
      using model = compiled(classifier('LSTM'), { steps: STEPS, device: GPU });
      await model.fit(x, y, training);
    });

    // A grid whose blocks wait for each other cannot be resident beside another process's; whatever is chosen then, the
    // results are the same.
    it.each(['', 'grid', 'cluster:2', 'graph'])('processes share the GPU, to the same bits (%s)', async (kernel) => {
      vi.stubEnv('SLIM_LSTM_KERNEL', kernel);
      const alone = await inProcess({});
      expect(alone).toContain('weights ');
      const shared = await Promise.all([inProcess({}), inProcess({}), inProcess({})]);
      for (const result of shared) expect(result).toBe(alone);
    });

    it.skipIf(!existsSync(losingLibrary) || GPU !== 'cuda:0')(
      'a GPU that is lost in training ends its model alone',
      async () => {
        const folder = mkdtempSync(join(tmpdir(), 'slim-lstm-lost-'));
        try {
          const given = { device: GPU, library: losingLibrary, checkpoint: join(folder, 'checkpoint') };
          const { stdout } = await promisify(execFile)(process.execPath, [
            fileURLToPath(new URL('./lost-device-process.mjs', import.meta.url)),
            JSON.stringify(given),
          ]);
          const told = JSON.parse(stdout);
          expect(told.lost.name).toBe('DeviceError');
          expect(told.lost.message).toContain('this process can no longer use the device');
          expect(told).toMatchObject({ again: told.lost, whole: true, epoch: [2] });
          expect(await inProcess({})).toContain('weights ');
        } finally {
          rmSync(folder, { recursive: true });
        }
      },
    );

    it('a process that is killed in the middle of a step leaves the GPU to the others', async () => {
      const killed = promisify(execFile)(
        process.execPath,
        [fileURLToPath(script), JSON.stringify({ ...options, epochs: 100_000 })],
        { timeout: 6000, killSignal: 'SIGKILL' },
      );
      await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL' });
      expect(await inProcess({})).toContain('weights ');
    });
  });
});
