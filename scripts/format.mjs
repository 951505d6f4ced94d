/** Rewrites all sources in the project's format: Biome with its safe fixes, clang-format. */

import process from 'node:process';
import { nativeFiles } from './checks.mjs';
import { main, run } from './setup/command.mjs';

await main(() => {
  run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '--write']);
  run('clang-format', ['-i', ...nativeFiles()]);
});
