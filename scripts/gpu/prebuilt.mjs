/**
 * What a bundle brings ready built, so that the minutes on a borrowed GPU go to its tests: the addon, the CUDA library and
 * the tests of test/cuda for one kind of GPU, lying where a build would have left them. `bundle.json` tells for which, and
 * of which sources.
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

/** Whether system and binaries fit: all of them are loaded, and no GPU is needed for it. */
function runsHere() {
  const doctor = outputOf(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'doctor', '--json']) ?? '{}';
  const tests = spawnSync(join(FOLDER, TESTS), ['--suite=none'], { encoding: 'utf8' });
  return JSON.parse(doctor).cuda?.opened === true && tests.stdout?.startsWith('0 passed') === true;
}
