/** The CUDA library as the package carries it: packed, and opened from memory. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { brotliCompressSync, constants } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DeviceError, devices, layers, sequential } from '../src/index.js';
import { loadNative } from '../src/load-native.js';
import { toyData, toyModel, weightBytes } from './model/toy.js';
import { temporaryFolder } from './temporary-folder.js';

const dist = new URL('../dist/', import.meta.url);
/** Built with the native tests. */
const fake = fileURLToPath(new URL('../build/test/libslim_lstm_fake_cuda.so', import.meta.url));

const folder = temporaryFolder();
let libraries = 0;
afterEach(() => {
  vi.unstubAllEnvs();
});

const packed = (contents: Buffer) => brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

/** Has the addon look for a library, of which these bytes are the packed file; resolves the library's path. */
function usePacked(file: Buffer): string {
  const path = join(folder, `libslim_lstm_cuda_${libraries++}.so`);
  writeFileSync(`${path}.br`, file);
  vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', path);
  return path;
}

const make = (device: string) => sequential([layers.dense({ units: 1 })], { inputShape: [3], device });

/** Twice, as the second time nothing is tried any more. */
function expectRefusal(words: string | RegExp): void {
  for (let i = 0; i < 2; i++) {
    expect(() => make('cuda')).toThrow(DeviceError);
    expect(() => make('cuda')).toThrow(words);
  }
}

describe.skipIf(process.platform !== 'linux')('a packed CUDA library', () => {
  it('that is damaged is told with its path and what to do', () => {
    const path = usePacked(Buffer.from('this is not packed '.repeat(100)));
    expectRefusal(
      `${path}.br could not be unpacked: it cannot be read or is damaged; install slim-lstm anew, or build`,
    );
    expect(loadNative().cuda()).toMatchObject({ path: `${path}.br`, opened: false });
    expect(devices()).toMatchObject([{ name: 'cpu' }, { name: 'cuda', reason: expect.stringContaining(path) }]);
  });

  it('that was cut short is told in the same way', () => {
    const whole = packed(Buffer.from('this is no library '.repeat(100)));
    const path = usePacked(whole.subarray(0, whole.length - 8));
    expectRefusal(`${path}.br could not be unpacked`);
  });

  it("that holds no library is told with the loader's words, which leave no descriptor behind", () => {
    const path = usePacked(packed(Buffer.from('this is no library '.repeat(100))));
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    expectRefusal(/\.br could not be opened from memory \(\/proc\/self\/fd\/\d+: invalid ELF header\); unpack it/);
    expect(descriptors()).toBe(before);
    expect(loadNative().cuda().path).toBe(`${path}.br`);
  });

  it('that is missing is told as one that is not packed', () => {
    const path = join(folder, 'nowhere.so.br');
    vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', path);
    expectRefusal(`has no CUDA library (looked for ${path})`);
  });
});

describe.skipIf(!existsSync(fake))('a packed CUDA library that opens', () => {
  const contents = existsSync(fake) ? readFileSync(fake) : Buffer.alloc(0);

  it.each(['', '.br'])('is taken where its path is named with %j at the end', (ending) => {
    const path = usePacked(packed(contents));
    vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', path + ending);
    expect(loadNative().cuda()).toMatchObject({ path: `${path}.br`, opened: true, reason: null, driver: '580.65.06' });
    using model = make('cuda');
    expect(model.device).toMatch(/^cuda:1 \(Fake GPU/);
  });

  it('stands behind one that lies unpacked beside it', () => {
    const path = usePacked(Buffer.from('not even packed'));
    copyFileSync(fake, path);
    expect(loadNative().packedCuda()).toBe(null);
    expect(loadNative().cuda()).toMatchObject({ path, opened: true });
  });

  it("tells the library's own reason where there is no driver", () => {
    vi.stubEnv('SLIM_LSTM_FAKE_CUDA', 'no driver');
    usePacked(packed(contents));
    expectRefusal('no NVIDIA driver is loaded; install driver 580 or newer');
    expect(loadNative().cuda().opened).toBe(true);
  });

  it('is unpacked once, and not before a GPU is asked for', () => {
    const path = usePacked(packed(contents));
    const native = loadNative();
    const found = native.packedCuda();
    expect(found?.path).toBe(`${path}.br`);
    for (const device of ['cpu', ...(found?.driver === false ? ['auto'] : [])]) {
      using model = make(device);
      expect(model.device).toMatch(/^cpu /);
      expect(native.packedCuda()).toEqual(found);
    }
    expect(native.cuda().opened).toBe(true);
    expect(native.packedCuda()).toBe(null);
    rmSync(`${path}.br`);
    for (const device of ['cuda', 'auto']) {
      using model = make(device);
      expect(model.device).toMatch(/^cuda:1 /);
    }
  });

  it('opens beside others of its kind', () => {
    const paths = Array.from({ length: 3 }, () => {
      const path = usePacked(packed(contents));
      expect(loadNative().cuda().opened).toBe(true);
      return path;
    });
    for (const path of paths) {
      vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', path);
      expect(loadNative().cuda()).toMatchObject({ path: `${path}.br`, opened: true });
    }
  });

  it('is opened by several workers at once, and outlives them', async () => {
    usePacked(packed(contents));
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData).then(({ devices }) => parentPort.postMessage(devices().map(({ name }) => name)));`;
    const workers = Array.from(
      { length: 4 },
      () => new Worker(code, { eval: true, workerData: new URL('index.js', dist).href }),
    );
    const answers = await Promise.all(workers.map((worker) => once(worker, 'message')));
    for (const [names] of answers) expect(names).toEqual(['cuda:1', 'cpu', 'cuda:0']);
    await Promise.all(workers.map((worker) => worker.terminate()));

    const { x, y } = toyData(48);
    using model = toyModel({ device: 'cuda' });
    using other = toyModel();
    for (const each of [model, other]) await each.fit(x, y, { batchSize: 16, verbose: 0 });
    expect(weightBytes(model)).toEqual(weightBytes(other));
  });

  it("that the system leaves no memory for is told with the system's words, and the process lives on", () => {
    const path = usePacked(packed(contents));
    const doctor = [process.execPath, fileURLToPath(new URL('cli/main.js', dist)), 'doctor', '--json'];
    // The limit is on the size of files, of which the library's memory is one.
    const out = execFileSync('sh', ['-c', 'ulimit -f 8; exec "$@"', 'sh', ...doctor], { encoding: 'utf8' });
    const { ok, cuda } = JSON.parse(out) as { ok: boolean; cuda: { path: string; opened: boolean; reason: string } };
    expect(ok).toBe(true);
    expect(cuda).toMatchObject({ path: `${path}.br`, opened: false });
    expect(cuda.reason).toMatch(/\.so\.br could not be opened from memory \(write: .+\); unpack it beside itself/);
  });
});
