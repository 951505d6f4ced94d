/** What the package makes of a CUDA library, and of a machine behind it, of every kind. */

import { once } from 'node:events';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { precisionOn } from '../src/devices.js';
import {
  callbacks,
  DeviceError,
  devices,
  layers,
  loadModel,
  OutOfMemoryError,
  sequential,
  timeLayer,
} from '../src/index.js';
import { loadNative } from '../src/load-native.js';
import { precisions } from '../src/precision.js';
import { toyData, toyModel, weightBytes } from './model/toy.js';
import { temporaryFolder } from './temporary-folder.js';

/** Built with the native tests; SLIM_LSTM_FAKE_CUDA names the case it plays. */
const fake = fileURLToPath(new URL('../build/test/libslim_lstm_fake_cuda.so', import.meta.url));

const folder = temporaryFolder();
let copies = 0;
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Has the addon open that file as its CUDA library. */
function useLibrary(path: string): void {
  vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', path);
}

/** A copy of its own, as what a library answered is kept for the life of the process. */
function useFake(name: string): string {
  const path = join(folder, `libslim_lstm_cuda_${copies++}.so`);
  copyFileSync(fake, path);
  vi.stubEnv('SLIM_LSTM_FAKE_CUDA', name);
  useLibrary(path);
  return path;
}

const make = (device: string) => sequential([layers.dense({ units: 1 })], { inputShape: [3], device });

/** What asking for the device says, twice, as the second time nothing is tried any more. */
function refusalOf(device: string): string {
  const messages = [1, 2].map(() => {
    try {
      make(device).dispose();
    } catch (error) {
      expect(error).toBeInstanceOf(DeviceError);
      return (error as Error).message;
    }
    throw new Error(`${device} was there`);
  });
  expect(messages[1]).toBe(messages[0]);
  return messages[0] ?? '';
}

describe.skipIf(process.platform !== 'linux')('a CUDA library', () => {
  it('that is missing is told with its path and how to build it', () => {
    const path = join(folder, 'nowhere.so');
    useLibrary(path);
    const message = refusalOf('cuda');
    expect(message).toMatch(/^Cannot use device cuda: this installation of slim-lstm has no CUDA library/);
    for (const words of [path, 'npm run build:cuda', 'build-from-source.mjs --cuda', "device 'cpu'"]) {
      expect(message).toContain(words);
    }
    expect(devices().map(({ name, usable }) => [name, usable])).toEqual([
      ['cpu', true],
      ['cuda', false],
    ]);
  });

  it('is looked for beside the addon', () => {
    useLibrary('');
    expect(loadNative().cuda().path).toMatch(/libslim_lstm_cuda\.so$/);
  });

  it("that is damaged is told with the loader's words", () => {
    const path = join(folder, 'damaged.so');
    writeFileSync(path, 'this is no library '.repeat(100));
    useLibrary(path);
    expect(refusalOf('cuda:0')).toMatch(/the CUDA library could not be opened \(.*damaged\.so: invalid ELF header\)/);
  });
});

describe.skipIf(!existsSync(fake))('with a library that opens', () => {
  it('one of another version of this package is refused', () => {
    useFake('other version');
    expect(refusalOf('cuda')).toMatch(/was built from another version of slim-lstm.*npm run build:cuda/);
  });

  it('one that exports nothing of ours is refused', () => {
    const path = join(folder, 'foreign.so');
    copyFileSync(fileURLToPath(new URL('../build/Release/slim_lstm.node', import.meta.url)), path);
    useLibrary(path);
    expect(refusalOf('cuda')).toContain(`${path} is no CUDA library of slim-lstm`);
  });

  it.each([
    ['no driver', /no NVIDIA driver is loaded; install driver 580 or newer/],
    ['old driver', /driver 570\.86\.10 is too old: it serves CUDA 12\.8 at the most.*needs 13\.0; install driver 580/],
    ['no device', /driver 580\.65\.06 sees no GPU/],
  ])('%s: the reason and the remedy are told, and auto takes the CPU', (name, words) => {
    useFake(name);
    for (const device of ['cuda', 'cuda:0', 'cuda:7']) {
      expect(refusalOf(device)).toMatch(words);
      expect(refusalOf(device)).toContain(`Cannot use device ${device}: `);
    }
    expect(devices()).toMatchObject([
      { name: 'cpu', usable: true },
      { name: 'cuda', usable: false, description: null, reason: expect.stringMatching(words) },
    ]);
    using model = make('auto');
    expect(model.device).toMatch(/^cpu /);
  });

  it('a GPU below compute capability 7.5 is refused by name', () => {
    useFake('old GPU');
    for (const device of ['cuda', 'cuda:0']) {
      expect(refusalOf(device)).toMatch(/Old GPU has compute capability 6\.1 and 7\.5 \(Turing\) is the oldest/);
    }
    expect(refusalOf('cuda:1')).toContain('this machine has cuda:0 alone');
  });

  it('of several GPUs the first that can be used is taken', () => {
    useFake('');
    expect(devices()).toMatchObject([
      { name: 'cuda:1', usable: true, description: 'Fake GPU, compute capability 9.0, 140.0 GiB', reason: null },
      { name: 'cpu', usable: true },
      { name: 'cuda:0', usable: false, reason: expect.stringContaining('compute capability 6.1') },
    ]);
    for (const device of ['cuda', 'cuda:1', 'auto']) {
      using model = make(device);
      expect(model.device).toBe('cuda:1 (Fake GPU, compute capability 9.0, 140.0 GiB)');
    }
    expect(refusalOf('cuda:0')).toContain('compute capability 6.1');
    expect(refusalOf('cuda:7')).toContain('this machine has cuda:0, cuda:1 alone');
  });

  it('the addon itself refuses what no device is called', () => {
    useFake('');
    const spec = { tokenInput: false, inputShape: [3], layers: [] };
    for (const device of ['cuda:', 'cuda:x', 'cuda:-1', 'cuda:99999', 'cudax', 'gpu']) {
      expect(() => loadNative().createModel(spec, { device, threads: 1, precision: 'float32', seed: 0 })).toThrow(
        /Expected the device cpu, cuda or cuda:<index> but received/,
      );
    }
    expect(() =>
      loadNative().createModel(spec, { device: 'cuda:7', threads: 1, precision: 'float32', seed: 0 }),
    ).toThrow(/Cannot use device cuda:7: this machine has cuda:0 and cuda:1 alone/);
  });

  it('a device that refuses when it is taken says so in the class of its reason', () => {
    useFake('device in use');
    expect(() => make('cuda')).toThrow(OutOfMemoryError);
    expect(() => make('cuda')).toThrow('Cannot use device cuda:1: its memory is full');
  });

  it('a device is asked for the precision of the model, and of what is timed', async () => {
    useFake('precision');
    const network = [layers.dense({ units: 1 })];
    expect(() => make('cuda')).toThrow('Cannot use device cuda:1: it was asked for float32');
    for (const precision of precisions) {
      const words = `Cannot use device cuda:1: it was asked for ${precision}`;
      expect(() => sequential(network, { inputShape: [3], device: 'cuda', precision })).toThrow(words);
      const size = { steps: 2, batch: 1, inputSize: 3, units: 4 };
      await expect(timeLayer({ ...size, device: 'cuda', precision })).rejects.toThrow(words);
    }
  });

  it('a device tells its precision where it is not float32', () => {
    useFake('');
    const network = [layers.dense({ units: 1 })];
    using model = sequential(network, { inputShape: [3], device: 'cuda', precision: 'tf32' });
    expect(model.device).toBe('cuda:1 (Fake GPU, compute capability 9.0, 140.0 GiB, tf32)');
    expect(model.summary({ print: () => {} })).toContain(' Precision on a GPU: tf32');
    expect(precisionOn('cuda:1', 'bfloat16')).toBe('bfloat16');
    // Too old for any other.
    expect(precisionOn('cuda:0', 'bfloat16')).toBe('float32');
    expect(precisionOn('cpu', 'bfloat16')).toBe('float32');
  });

  it('the report names the driver, what the library was built for, and the libraries of NVIDIA', () => {
    const path = useFake('');
    expect(loadNative().cuda()).toMatchObject({
      path,
      opened: true,
      reason: null,
      driver: '580.65.06',
      driverCuda: '13.0',
      runtimeCuda: '13.0',
      architectures: '75-real;80-real;90a-real',
      libraries: [
        { name: 'cuBLASLt', version: '13.1.1', path: '/opt/cublas/libcublasLt.so.13', reason: null },
        { name: 'cuDNN', version: null, path: null, reason: 'cuDNN was not found' },
      ],
    });
  });

  it("a model trains there, on memory that is not the process's own, to the bits of the CPU", async () => {
    useFake('');
    const { x, y } = toyData(48);
    const weights: Buffer[] = [];
    const held: number[] = [];
    for (const device of ['cpu', 'cuda']) {
      using model = toyModel({ device });
      const callbacks = [{ onTrainEnd: () => void held.push(model.memory().data) }];
      await model.fit(x, y, { epochs: 2, batchSize: 16, verbose: 0, callbacks });
      weights.push(weightBytes(model));
      held.push(model.memory().data);
    }
    expect(weights[1]).toEqual(weights[0]);
    // The GPU alone had a copy of the data, until the training's end.
    const [onCpu, , onGpu, afterwards] = held as [number, number, number, number];
    expect(onGpu - onCpu).toBe(x.data.byteLength + y.byteLength);
    expect(afterwards).toBe(onCpu);
  });

  it('data that does not fit there is sent batch by batch, which is told once and changes nothing', async () => {
    useFake('little memory');
    vi.stubEnv('SLIM_LSTM_LOG', 'device');
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const [rows, width] = [2500, 500];
    const x = { data: Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i)), shape: [rows, width] };
    const y = Int32Array.from({ length: rows }, (_, row) => row % 3);
    const results: unknown[] = [];
    for (const device of ['cpu', 'cuda']) {
      using model = sequential([layers.dense({ units: 3, activation: 'softmax' })], {
        inputShape: [width],
        device,
        seed: 1,
        threads: 1,
      });
      model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
      const history = await model.fit(x, y, { epochs: 2, batchSize: 32, validationSplit: 0.1, verbose: 0 });
      expect(history.streamed).toBe(device === 'cuda');
      const again = await model.fit(x, y, { epochs: 1, batchSize: 32, stepsPerCall: 3, verbose: 0 });
      const { data: outputs } = await model.predict(x);
      const evaluated = await model.evaluate(x, y);
      results.push([history.history, again.history, outputs, evaluated, weightBytes(model)]);
    }
    expect(results[1]).toEqual(results[0]);
    const told = written.mock.calls.flat().filter((text) => String(text).includes('sent one by one'));
    expect(told).toEqual([expect.stringMatching(/^slim-lstm: a data set does not fit into the device's memory .*\n$/)]);
  });

  it('data that a model trained on before leaves the GPU to the data of another', async () => {
    useFake('little memory');
    const [rows, width] = [1250, 500];
    const x = { data: new Float32Array(rows * width).fill(0.5), shape: [rows, width] };
    const y = Int32Array.from({ length: rows }, (_, row) => row % 3);
    const build = () => {
      const model = sequential([layers.dense({ units: 3, activation: 'softmax' })], {
        inputShape: [width],
        device: 'cuda',
      });
      model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
      return model;
    };
    // Their data takes more than half of the memory each time.
    const models = [build(), build(), build()];
    for (const model of models) {
      expect((await model.fit(x, y, { verbose: 0 })).streamed).toBe(false);
      // The copy goes on the model's thread, for which this waits.
      model.weights();
    }
    for (const model of models) model.dispose();
  });

  it('a batch that does not fit is an error with sizes, and smaller ones are not', async () => {
    useFake('little memory');
    const { x, y } = toyData(2000);
    using model = toyModel({ device: 'cuda' });
    for (let attempt = 0; attempt < 3; attempt++) {
      const refused = model.fit(x, y, { batchSize: 2000, verbose: 0 });
      await expect(refused).rejects.toThrow(OutOfMemoryError);
      await expect(refused).rejects.toThrow(/Could not get \d+ bytes: \d+ of 4194304 are free/);
    }
    using other = toyModel();
    for (const each of [model, other]) await each.fit(x, y, { batchSize: 16, verbose: 0 });
    expect(weightBytes(model)).toEqual(weightBytes(other));
  });

  it('a GPU that is lost in training ends its model alone; the last checkpoint is whole', async () => {
    useFake('lost in step 8');
    const { x, y } = toyData(48);
    const path = join(folder, 'checkpoint');
    const training = { batchSize: 16, verbose: 0 } as const;
    const model = toyModel({ device: 'cuda' });
    // Three steps an epoch: the third epoch is not finished.
    const run = model.fit(x, y, { ...training, epochs: 9, callbacks: [callbacks.modelCheckpoint(path)] });
    const lost = await run.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(lost).toBeInstanceOf(DeviceError);
    const { message } = lost as DeviceError;
    expect(message).toContain('is lost');
    const works = [
      () => model.fit(x, y, training),
      () => model.evaluate(x, y),
      () => model.predict(x),
      () => model.save(path),
    ];
    for (const work of works) await expect(work()).rejects.toThrow(new DeviceError(message));
    expect(() => model.weights()).toThrow(new DeviceError(message));
    model.dispose();

    using restored = await loadModel(path, { device: 'cpu', threads: 1 });
    using expected = toyModel();
    await expected.fit(x, y, { ...training, epochs: 2 });
    expect(weightBytes(restored)).toEqual(weightBytes(expected));
    // It goes on from there as if nothing had been.
    for (const each of [restored, expected]) await each.fit(x, y, { ...training, initialEpoch: 2, epochs: 4 });
    expect(weightBytes(restored)).toEqual(weightBytes(expected));
  });

  it('workers that are ended in the middle of a step leave the process and its models alive', async () => {
    useFake('');
    for (let i = 0; i < 10; i++) {
      const worker = new Worker(new URL('./native-worker.mjs', import.meta.url), { workerData: { device: 'cuda' } });
      await once(worker, 'message');
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      expect(await worker.terminate()).toBe(1);
    }
    const { x, y } = toyData(48);
    using model = toyModel({ device: 'cuda' });
    using other = toyModel();
    for (const each of [model, other]) await each.fit(x, y, { batchSize: 16, verbose: 0 });
    expect(weightBytes(model)).toEqual(weightBytes(other));
  });

  it('what the device throws arrives in its class, and the next model works', () => {
    useFake('');
    const huge = () => sequential([layers.dense({ units: 2 ** 25 })], { inputShape: [2 ** 20], device: 'cuda' });
    expect(huge).toThrow(OutOfMemoryError);
    using model = make('cuda');
    expect(model.device).toMatch(/^cuda:1 /);
  });
});
