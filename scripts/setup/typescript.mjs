/** The TypeScript part: src compiled into dist. */

import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root, run } from './command.mjs';
import { buildWhenStale, hashOf } from './stamp.mjs';

const SOURCES = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** Compiles beside dist and swaps, so that no file of a deleted module stays and a failed build leaves the old one. */
function compile() {
  console.log('Compiling TypeScript');
  const fresh = join(root, 'build', 'dist');
  const dist = join(root, 'dist');
  rmSync(fresh, { recursive: true, force: true });
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', fresh]);
  rmSync(dist, { recursive: true, force: true });
  try {
    renameSync(fresh, dist);
  } catch (error) {
    if (error.code !== 'EXDEV') throw error;
    cpSync(fresh, dist, { recursive: true });
  }
}

/** Compiles if the sources changed; true if it did. */
export function ensureDist() {
  if (!existsSync(join(root, 'src', 'index.ts'))) return false;
  return buildWhenStale({
    stamp: 'build/typescript.stamp',
    hash: hashOf(SOURCES),
    product: 'dist/index.js',
    build: compile,
  });
}
