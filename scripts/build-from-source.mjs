/**
 * Builds the addon of an installed package where it carries none for the machine:
 *
 *   npm install --no-save node-addon-api@8 node-api-headers@1
 *   node node_modules/slim-lstm/scripts/build-from-source.mjs
 *
 * Needs CMake 3.22, a C++20 compiler, ninja or make, and Highway's headers. The result is build/Release/slim_lstm.node
 * inside the package, where its loader looks first. With --cuda it builds the CUDA library as well, which needs nvcc; for
 * all kinds of GPUs, or for those that --cuda="80-real;90a" names in CMake's notation.
 */

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const packageRoot = fileURLToPath(new URL('..', import.meta.url));
const buildFolder = join(packageRoot, 'build');
// The header packages lie beside this one, or (pnpm) only beside the project that is being worked on.
const requires = [createRequire(import.meta.url), createRequire(join(process.cwd(), 'package.json'))];

function fail(message) {
  console.error(`slim-lstm: ${message}`);
  process.exit(1);
}

function headersOf(name) {
  for (const require of requires) {
    try {
      return resolve(require(name).include_dir);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return fail('The build needs two header packages: npm install --no-save node-addon-api@8 node-api-headers@1');
}

function cmake(...args) {
  const { error, status } = spawnSync('cmake', args, { stdio: 'inherit' });
  if (error) fail(`cmake could not be started (${error.message}): install CMake 3.22 or newer`);
  if (status !== 0) fail(`cmake ${args.join(' ')} failed; its messages above say why`);
}

/** The value of --cuda: '' where it has none, undefined where it was not given. */
function cudaArchitectures() {
  const option = process.argv.slice(2).find((argument) => /^--cuda(=|$)/.test(argument));
  return option?.slice('--cuda='.length);
}

const architectures = cudaArchitectures();
cmake(
  ...['-S', packageRoot, '-B', buildFolder, '-DCMAKE_BUILD_TYPE=Release'],
  `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(buildFolder, 'Release')}`,
  `-DCMAKE_JS_INC=${headersOf('node-api-headers')}`,
  `-DNODE_ADDON_API_INCLUDE_DIR=${headersOf('node-addon-api')}`,
  `-DSLIM_LSTM_CUDA=${architectures === undefined ? 'OFF' : 'ON'}`,
  architectures ? `-DSLIM_LSTM_CUDA_ARCHITECTURES=${architectures}` : '-USLIM_LSTM_CUDA_ARCHITECTURES',
);
for (const target of architectures === undefined ? ['slim_lstm'] : ['slim_lstm', 'slim_lstm_cuda']) {
  cmake('--build', buildFolder, '--target', target, '--parallel', String(availableParallelism()));
}
