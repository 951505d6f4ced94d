/** The CUDA library, libslim_lstm_cuda.so, where nvcc is: a build of its own beside the addon's. */

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { outputOf, root, run, SetupError } from './command.mjs';
import { buildWhenStale, hashOf } from './stamp.mjs';

/** What every test run compiles: the oldest, which has the fewest instructions, and the one the kernels aim at. */
export const CHECKED_ARCHITECTURES = '75-real;90a-real';

/** The library that tests look into; build/Release is the user's. */
export const CHECKED_FOLDER = 'build/cuda-check';

const SOURCES = ['CMakeLists.txt', 'cmake', 'native/backend.h', 'native/cell.h', 'native/errors.h', 'native/philox.h'];

/** The compiler, `{ path, version }`, from the first of the usual places that has it; undefined where none has. */
export function findNvcc() {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env;
  const toolkits = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda'].filter(Boolean).map((folder) => `${folder}/bin/nvcc`);
  for (const path of CUDACXX ? [CUDACXX] : ['nvcc', ...toolkits]) {
    const version = outputOf(path, ['--version']);
    if (version !== undefined) return { path, version };
  }
  return undefined;
}

/** The architectures of this machine's GPUs in CMake's notation, or undefined where there are none. */
export function machineArchitectures() {
  const answer = outputOf('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader']) ?? '';
  const numbers = new Set(answer.match(/\d+\.\d+/g)?.map((capability) => capability.replace('.', '')));
  if (numbers.size === 0) return undefined;
  // Hopper's own instructions, such as those of clusters' tensor units, want the target that is its alone.
  return [...numbers].map((number) => (number === '90' ? '90a-real' : `${number}-real`)).join(';');
}

/**
 * Compiles in `folder` and leaves the library in `output`; for `architectures`, or those that the package ships. Beside
 * each object lies what the compiler says of its kernels' registers and memory (`.resources`).
 */
export function buildCudaLibrary({ folder, output, architectures, source = root }) {
  const nvcc = findNvcc();
  if (nvcc === undefined) {
    throw new SetupError(
      'Missing: nvcc of the CUDA toolkit, 12.8 or newer. Install it, or set CUDACXX to where it is.',
    );
  }
  const generator = outputOf('ninja', ['--version']) === undefined ? [] : ['-G', 'Ninja'];
  const env = { ...process.env, CUDACXX: nvcc.path };
  const setting = 'SLIM_LSTM_CUDA_ARCHITECTURES';
  run(
    'cmake',
    [
      ...['-S', source, '-B', folder, ...generator, '--log-level=NOTICE'],
      ...['-DCMAKE_BUILD_TYPE=Release', '-DSLIM_LSTM_ADDON=OFF', '-DSLIM_LSTM_CUDA=ON'],
      `-DSLIM_LSTM_WARNINGS_AS_ERRORS=${process.env.CI ? 'ON' : 'OFF'}`,
      `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${output}`,
      architectures === undefined ? `-U${setting}` : `-D${setting}=${architectures}`,
    ],
    { env },
  );
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  run('cmake', ['--build', folder, '--target', 'slim_lstm_cuda', '--parallel', jobs], { env });
}

/** Builds the library that the tests look into, if its sources changed; true if it did, undefined without nvcc. */
export function ensureCheckedCudaLibrary() {
  const nvcc = findNvcc();
  if (nvcc === undefined) {
    console.log('The CUDA library is left out: nvcc was not found');
    return undefined;
  }
  const facts = [
    process.arch,
    nvcc.version,
    outputOf('cmake', ['--version']),
    process.env.CI ? 'CI' : '',
    CHECKED_ARCHITECTURES,
  ];
  return buildWhenStale({
    stamp: `${CHECKED_FOLDER}.stamp`,
    hash: hashOf([...SOURCES, 'native/cuda'], facts),
    product: `${CHECKED_FOLDER}/libslim_lstm_cuda.so`,
    build: () => {
      console.log(`Building the CUDA library for ${CHECKED_ARCHITECTURES}`);
      const folder = join(root, CHECKED_FOLDER);
      buildCudaLibrary({ folder, output: folder, architectures: CHECKED_ARCHITECTURES });
    },
  });
}
