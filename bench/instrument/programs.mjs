/** The native programs of this folder. */

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { outputOf, root, run, SetupError } from '../../scripts/setup/command.mjs';

const PROGRAMS = {
  ceilings: 'bench/ceilings/bench_ceilings',
  gemm: 'bench/gemm/bench_gemm',
  lstmPrimitive: 'bench/lstm-primitive/bench_lstm_primitive',
};

/**
 * Builds what changed of them, the engine too, in a folder of their own.
 *
 * @returns their paths by name; undefined for those that lack a library here
 */
export function nativePrograms(folder = join(root, 'build', 'bench')) {
  if (outputOf('cmake', ['--version']) === undefined) throw new SetupError('Expected CMake on the path');
  const generator = outputOf('ninja', ['--version']) === undefined ? [] : ['-G', 'Ninja'];
  if (!existsSync(join(folder, 'CMakeCache.txt'))) {
    const options = ['-DSLIM_LSTM_ADDON=OFF', '-DSLIM_LSTM_BENCH=ON', '-DCMAKE_BUILD_TYPE=Release'];
    run('cmake', ['-S', root, '-B', folder, ...generator, ...options, '--log-level=NOTICE']);
  }
  run('cmake', ['--build', folder, '--parallel', String(availableParallelism()), '--', '--quiet']);
  const found = Object.entries(PROGRAMS).map(([name, path]) => [name, join(folder, path)]);
  return Object.fromEntries(found.map(([name, path]) => [name, existsSync(path) ? path : undefined]));
}
