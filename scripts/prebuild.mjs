/**
 * Builds the addon that the package carries for this platform into prebuilds/. prebuildify moves the file it finds out
 * of build/Release, so it works on a copy of the sources, which also makes every prebuild a clean one.
 */

import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { main, root, run } from './setup/command.mjs';
import { setup } from './setup.mjs';

const COPIED = ['package.json', 'CMakeLists.txt', 'cmake', 'native'];

export function prebuild() {
  const copy = join(root, 'build', 'prebuild');
  rmSync(copy, { recursive: true, force: true });
  rmSync(join(root, 'prebuilds'), { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const path of COPIED) cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
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
    await setup();
    prebuild();
  });
}
