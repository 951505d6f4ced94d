/** The npm packages: installed exactly as the lock file says, and only when they differ from it. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root, run } from './command.mjs';

function packagesOf(path) {
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

/**
 * Whether node_modules holds what package-lock.json lists. npm records what it installed in a lock file of its own;
 * optional packages (those of other platforms) may lack there.
 */
export function modulesAreCurrent() {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' || (present[path] ? present[path].integrity === entry.integrity : entry.optional === true),
  );
}

export function ensureModules() {
  if (modulesAreCurrent()) return;
  console.log('Installing npm packages');
  // None of them needs its install script.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm tells its scripts where it lies itself; that also finds it where `npm` is not on the path.
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('.js')) run(process.execPath, [npm, ...args]);
  else run('npm', args);
}
