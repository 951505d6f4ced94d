/**
 * Builds the addon that the package carries for this platform into prebuilds/, and beside it, where nvcc is, the CUDA
 * library for all kinds of GPUs. prebuildify moves the file it finds out of build/Release, so it works on a copy of the
 * sources, which also makes every prebuild a clean one.
 *
 *   npm run prebuild -- --without-cuda    leaves the CUDA library out
 */

import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { main, root, run } from './setup/command.mjs';
import { buildCudaLibrary, findNvcc } from './setup/cuda.mjs';
import { setup } from './setup.mjs';

const COPIED = ['package.json', 'CMakeLists.txt', 'cmake', 'native'];

/** Built in a folder that stays, as it takes minutes; prebuildify takes every library that lies beside the addon. */
function addCudaLibrary(copy) {
  if (findNvcc() === undefined) {
    console.log('The CUDA library is left out: nvcc was not found');
    return;
  }
  buildCudaLibrary({ folder: join(root, 'build', 'cuda-all'), output: join(copy, 'build', 'Release') });
}

export function prebuild({ cuda = true } = {}) {
  const copy = join(root, 'build', 'prebuild');
  rmSync(copy, { recursive: true, force: true });
  rmSync(join(root, 'prebuilds'), { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const path of COPIED) cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (cuda) addCudaLibrary(copy);
  const env = { ...process.env };
  env.CMAKE_BUILD_PARALLEL_LEVEL ??= String(availableParallelism());
  run(
    process.execPath,
    [
      join(root, 'node_modules/prebuildify/bin.js'),
      ...['--napi', '--strip', '--tag-libc', '--cwd', copy, '--out', root],
      ...['--node-gyp', join(root, 'scripts/prebuildify-cmake-js.mjs')],
    ],
    { cwd: copy, env },
  );
  rmSync(copy, { recursive: true, force: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    const { values } = parseArgs({ options: { 'without-cuda': { type: 'boolean', default: false } } });
    await setup();
    prebuild({ cuda: !values['without-cuda'] });
  });
}
