/**
 * Builds the addon that the package carries for this platform into prebuilds/, and beside it, where nvcc is, the CUDA
 * library for all kinds of GPUs, packed (libslim_lstm_cuda.so.br). prebuildify moves the file it finds out of
 * build/Release, so it works on a copy of the sources, which also makes every prebuild a clean one.
 *
 *   npm run prebuild -- --without-cuda    leaves the CUDA library out
 */

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';
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

/**
 * Packs the library that prebuildify stripped and left beside the addon: the package has to be small, and its kernels are
 * much alike. The addon opens it from memory (src/packed-cuda.ts).
 */
function packCudaLibrary(folder) {
  const path = join(folder, 'libslim_lstm_cuda.so');
  if (!existsSync(path)) return;
  const contents = readFileSync(path);
  const packed = brotliCompressSync(contents, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: contents.length,
    },
  });
  writeFileSync(`${path}.br`, packed);
  rmSync(path);
  const [from, to] = [contents, packed].map(({ length }) => (length / 1e6).toFixed(1));
  console.log(`The CUDA library is packed: ${from} MB to ${to} MB`);
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
  packCudaLibrary(join(root, 'prebuilds', `${process.platform}-${process.arch}`));
  rmSync(copy, { recursive: true, force: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    const { values } = parseArgs({ options: { 'without-cuda': { type: 'boolean', default: false } } });
    await setup();
    prebuild({ cuda: !values['without-cuda'] });
  });
}
