/** The checks of form: types, Biome, clang-format, clang-tidy. Each gives 'passed', 'failed' or 'skipped'. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { outputOf, root, statusOf } from './setup/command.mjs';

const NATIVE_FOLDERS = ['native', 'test/native', 'test/fake-cuda', 'test/cuda', 'test/cuda-host', 'bench'];

/** The C++ files of the project, relative to its root; all of them, or those with one of the endings. */
export function nativeFiles(endings = ['.cc', '.cu', '.h']) {
  return NATIVE_FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(join(root, folder), { recursive: true }).map((name) => `${folder}/${name}`);
    } catch (error) {
      if (error.code === 'ENOENT') return [];
      throw error;
    }
  })
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort();
}

function outcome(status) {
  return status === 0 ? 'passed' : 'failed';
}

function skippedWithout(tool) {
  console.log(`Skipped: ${tool} is not installed`);
  return 'skipped';
}

function types() {
  return outcome(statusOf(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']));
}

function biome() {
  return outcome(statusOf(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off']));
}

function clangFormat() {
  if (outputOf('clang-format', ['--version']) === undefined) return skippedWithout('clang-format');
  return outcome(statusOf('clang-format', ['--dry-run', '-Werror', ...nativeFiles()]));
}

/** Needs build/compile_commands.json, which the native build writes. */
function clangTidy() {
  if (outputOf('clang-tidy', ['--version']) === undefined) return skippedWithout('clang-tidy');
  return outcome(statusOf(process.execPath, ['scripts/clang-tidy.mjs']));
}

/** What every `npm test` checks. */
export const quickChecks = { types, biome, 'clang-format': clangFormat };

/** What `npm run lint` checks; clang-tidy takes minutes. */
export const allChecks = { ...quickChecks, 'clang-tidy': clangTidy };

/** Runs the checks one after another and gives the outcome of each. */
export function runChecks(checks) {
  return Object.entries(checks).map(([name, check]) => {
    console.log(`\n== ${name}`);
    return { name, outcome: check() };
  });
}
