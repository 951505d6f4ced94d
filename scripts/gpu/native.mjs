/** The native build for a GPU, by CMake alone: the addon, the CUDA library and what the tests on a GPU need. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { outputOf, root } from '../setup/command.mjs';
import { findNvcc } from '../setup/cuda.mjs';
import { resourceTable } from './resources.mjs';

/** Where the addon looks for its library, and where it is looked for first itself. */
export const RELEASE = join(root, 'build', 'Release');
export const FOLDER = join(root, 'build', 'gpu', 'cmake');

/** What is built: the files that matter, in their folders. */
export const ADDON = 'slim_lstm.node';
export const LIBRARY = 'libslim_lstm_cuda.so';
export const TESTS = join('test', 'slim_lstm_gpu_tests');
export const DEVICE_LOSS = join('test', 'libslim_lstm_lose_device.so');
export const RESOURCES = 'resources.md';

/** What shapes it, for whoever asks whether a build is still of these sources. */
export const SOURCES = [
  ...['CMakeLists.txt', 'cmake', 'native', 'test/cuda', 'test/native'],
  ...['test/gpu/CMakeLists.txt', 'test/gpu/lose_device.cc'],
];

const ninja = () => outputOf('ninja', ['--version']) !== undefined;

function environment() {
  const nvcc = findNvcc();
  return nvcc === undefined ? {} : { CUDACXX: nvcc.path };
}

/** What CMake is called with to prepare `folder`, whose libraries go to `release`: `{ command, args, env }`. */
export function configuration({ folder, release, architectures }) {
  const require = createRequire(join(root, 'package.json'));
  // Where they name it relatively, it is to the folder of this process.
  const headersOf = (name) => resolve(require(name).include_dir);
  return {
    command: 'cmake',
    args: [
      ...['-S', root, '-B', folder, ...(ninja() ? ['-G', 'Ninja'] : []), '-DCMAKE_BUILD_TYPE=Release'],
      ...['-DSLIM_LSTM_CUDA=ON', '-DSLIM_LSTM_GPU_TESTS=ON', '-DSLIM_LSTM_WARNINGS_AS_ERRORS=OFF'],
      `-DSLIM_LSTM_CUDA_ARCHITECTURES=${architectures}`,
      `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${release}`,
      `-DCMAKE_JS_INC=${headersOf('node-api-headers')}`,
      `-DNODE_ADDON_API_INCLUDE_DIR=${headersOf('node-addon-api')}`,
    ],
    env: environment(),
  };
}

/** And to build there; what can be built is, whatever fails. */
export function compilation({ folder }) {
  const targets = ['slim_lstm', ...(findNvcc() === undefined ? [] : ['slim_lstm_cuda', 'slim_lstm_gpu_tests'])];
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  return {
    command: 'cmake',
    // All in one, so that no core waits for the slowest file of one target.
    args: ['--build', folder, '--parallel', jobs, '--target', ...targets, '--', ...(ninja() ? ['-k', '0'] : ['-k'])],
    env: environment(),
    jobs,
  };
}

/** Writes `folder`'s table of the registers and memory of each kernel, as the compiler told; where it told any. */
export function writeResources(folder) {
  const objects = join(folder, 'CMakeFiles', 'slim_lstm_cuda.dir', 'native', 'cuda');
  if (!existsSync(objects)) return;
  const reports = readdirSync(objects).filter((name) => name.endsWith('.resources'));
  const texts = reports.sort().map((name) => [name.split('.')[0], readFileSync(join(objects, name), 'utf8')]);
  writeFileSync(join(folder, RESOURCES), resourceTable(texts));
}
