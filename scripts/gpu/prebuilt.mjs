/**
 * What a bundle brings ready built, so that the minutes on a borrowed GPU go to its tests: what native.mjs builds, for
 * one kind of GPU, lying where a build would have left it. `bundle.json` tells for which, and of which sources.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { outputOf, root } from '../setup/command.mjs';
import { hashOf } from '../setup/stamp.mjs';
import { FOLDER, SOURCES, TESTS } from './native.mjs';

/** What the bundle that this folder is says of itself; undefined in a clone. */
export function bundleRecord() {
  const path = join(root, 'bundle.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** What `bundle.json` records of a build. */
export function prebuiltRecord(architectures) {
  return { architectures, sources: hashOf(SOURCES) };
}

/** Why what the bundle brings is not used for these architectures; undefined where it is. */
export function whyNotPrebuilt(architectures) {
  const { prebuilt } = bundleRecord() ?? {};
  if (prebuilt === undefined) return 'nothing came built';
  if (prebuilt.architectures !== architectures) return `what came built is for ${prebuilt.architectures}`;
  if (prebuilt.sources !== hashOf(SOURCES)) return 'the sources have changed since';
  if (!runsHere()) return 'what came built does not run on this system';
  return undefined;
}

/**
 * Whether system and binaries fit: all of them are loaded. No kernel runs: here, one that hangs would cost the whole run,
 * and one that fails would be taken for a system that does not fit.
 */
function runsHere() {
  const opens =
    "import { loadNative } from './dist/load-native.js'; process.exitCode = loadNative().cuda().opened ? 0 : 1;";
  const opened = outputOf(process.execPath, ['--input-type=module', '--eval', opens]) !== undefined;
  const tests = spawnSync(join(FOLDER, TESTS), ['--suite=none'], { encoding: 'utf8' });
  return opened && tests.stdout?.startsWith('0 passed') === true;
}
