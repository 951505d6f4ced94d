/** The native part: cmake-js builds the addon into build/Release, and the native tests beside it. */

import { availableParallelism } from 'node:os';
import process from 'node:process';
import { outputOf, root, run } from './command.mjs';
import { buildWhenStale, hashOf } from './stamp.mjs';

const ADDON_SOURCES = ['CMakeLists.txt', 'cmake', 'native'];
const TEST_SOURCES = [...ADDON_SOURCES, 'test/native', 'test/fake-cuda'];
const EMULATION_SOURCES = [...TEST_SOURCES, 'test/cuda', 'test/cuda-host'];

/** Warnings end the build where the project checks itself, not on the machine of someone with a newer compiler. */
function cmakeOptions() {
  return [`--CDSLIM_LSTM_WARNINGS_AS_ERRORS=${process.env.CI ? 'ON' : 'OFF'}`, '--CDSLIM_LSTM_TESTS=ON'];
}

function cmakeJs(...args) {
  const env = { ...process.env };
  env.CMAKE_BUILD_PARALLEL_LEVEL ??= String(availableParallelism());
  run(process.execPath, ['node_modules/cmake-js/bin/cmake-js', ...args, '--log-level=error'], { cwd: root, env });
}

function build(target) {
  console.log(`Building ${target}`);
  cmakeJs('configure', ...cmakeOptions());
  cmakeJs('build', `--target=${target}`);
}

function facts() {
  return [process.platform, process.arch, process.env.CXX ?? '', outputOf('cmake', ['--version']), cmakeOptions()];
}

/** Builds the addon if its sources changed; true if it did. */
export function ensureAddon() {
  return buildWhenStale({
    stamp: 'build/addon.stamp',
    hash: hashOf(ADDON_SOURCES, facts()),
    product: 'build/Release/slim_lstm.node',
    build: () => build('slim_lstm'),
  });
}

/** Builds the native tests if they or the engine changed; true if it did. */
export function ensureNativeTests() {
  return buildWhenStale({
    stamp: 'build/native-tests.stamp',
    hash: hashOf(TEST_SOURCES, facts()),
    product: 'build/test/slim_lstm_native_tests',
    build: () => build('slim_lstm_native_tests'),
  });
}

/** Builds the tests of the CUDA device on the host emulation if they or it changed; true if it did. Linux alone has it. */
export function ensureEmulatedCudaTests() {
  if (process.platform !== 'linux') return false;
  return buildWhenStale({
    stamp: 'build/cuda-host-tests.stamp',
    hash: hashOf(EMULATION_SOURCES, facts()),
    product: 'build/test/slim_lstm_cuda_host_tests',
    build: () => build('slim_lstm_cuda_host_tests'),
  });
}
