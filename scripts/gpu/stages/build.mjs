/** The build for this machine's GPU: addon, CUDA library and the tests of both, by CMake alone. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { outputOf, root } from '../../setup/command.mjs';
import { findNvcc } from '../../setup/cuda.mjs';
import { ensureModules } from '../../setup/modules.mjs';
import { ensureDist } from '../../setup/typescript.mjs';
import { resourceTable } from '../resources.mjs';

export const FOLDER = 'build/gpu/cmake';
export const TESTS = join(root, FOLDER, 'test', 'slim_lstm_gpu_tests');

export async function build(steps, facts) {
  // A bundle has dist and all modules, and neither npm nor the compiler of types.
  if (!existsSync(join(root, 'bundle.json'))) {
    ensureModules();
    ensureDist();
  }
  const nvcc = findNvcc();
  const env = nvcc === undefined ? {} : { CUDACXX: nvcc.path };
  const generator = outputOf('ninja', ['--version']) === undefined ? [] : ['-G', 'Ninja'];
  const require = createRequire(join(root, 'package.json'));
  // Where they name it relatively, it is to the folder of this process.
  const headersOf = (name) => resolve(require(name).include_dir);
  const configured = await steps.run(
    'configure',
    'cmake',
    [
      ...['-S', root, '-B', FOLDER, ...generator, '-DCMAKE_BUILD_TYPE=Release'],
      ...['-DSLIM_LSTM_CUDA=ON', '-DSLIM_LSTM_GPU_TESTS=ON', '-DSLIM_LSTM_WARNINGS_AS_ERRORS=OFF'],
      `-DSLIM_LSTM_CUDA_ARCHITECTURES=${facts.architectures}`,
      `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(root, 'build', 'Release')}`,
      `-DCMAKE_JS_INC=${headersOf('node-api-headers')}`,
      `-DNODE_ADDON_API_INCLUDE_DIR=${headersOf('node-addon-api')}`,
    ],
    { seconds: 120, env },
  );
  if (configured.outcome !== 'passed') return;
  const targets = ['slim_lstm', ...(nvcc === undefined ? [] : ['slim_lstm_cuda', 'slim_lstm_gpu_tests'])];
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  // All in one, so that no core waits for the slowest file of one target; what can be built is.
  const keepGoing = generator.length > 0 ? ['--', '-k', '0'] : ['--', '-k'];
  await steps.run(
    `compile on ${jobs} cores`,
    'cmake',
    ['--build', FOLDER, '--parallel', jobs, '--target', ...targets, ...keepGoing],
    { seconds: 1200, env },
  );
  if (nvcc === undefined) steps.skip('CUDA library', 'nvcc was not found');
  else reportResources(steps);
}

/** The registers and memory of each kernel, as the compiler tells. */
function reportResources(steps) {
  const folder = join(root, FOLDER, 'CMakeFiles', 'slim_lstm_cuda.dir', 'native', 'cuda');
  if (!existsSync(folder)) return;
  const reports = readdirSync(folder).filter((name) => name.endsWith('.resources'));
  const texts = reports.sort().map((name) => [name.split('.')[0], readFileSync(join(folder, name), 'utf8')]);
  steps.write('resources.md', resourceTable(texts));
}
