/** The build for this machine's GPU; in a bundle that brings it for this kind of GPU, none. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNvcc } from '../../setup/cuda.mjs';
import { ensureModules } from '../../setup/modules.mjs';
import { ensureDist } from '../../setup/typescript.mjs';
import { compilation, configuration, FOLDER, RELEASE, RESOURCES, writeResources } from '../native.mjs';
import { bundleRecord, whyNotPrebuilt } from '../prebuilt.mjs';

export async function build(steps, { architectures }, { compile }) {
  // A bundle has dist and all modules, and neither npm nor the compiler of types.
  const bundled = bundleRecord() !== undefined;
  if (!bundled) {
    ensureModules();
    ensureDist();
  }
  const reason = compile ? 'asked to compile' : whyNotPrebuilt(architectures);
  if (reason === undefined) {
    steps.note(`The build for ${architectures} is the one that the bundle brought (--compile makes another)`);
  } else {
    if (bundled) steps.note(`Built here: ${reason}`);
    if (!(await compileHere(steps, architectures))) return;
  }
  const resources = join(FOLDER, RESOURCES);
  if (existsSync(resources)) steps.write(RESOURCES, readFileSync(resources, 'utf8'));
}

/** True where something was compiled, be it not all. */
async function compileHere(steps, architectures) {
  const paths = { folder: FOLDER, release: RELEASE };
  const configure = configuration({ ...paths, architectures });
  const { outcome } = await steps.run('configure', configure.command, configure.args, {
    seconds: 120,
    env: configure.env,
  });
  if (outcome !== 'passed') return false;
  const { command, args, env, jobs } = compilation(paths);
  await steps.run(`compile on ${jobs} cores`, command, args, { seconds: 1200, env });
  if (findNvcc() === undefined) steps.skip('CUDA library', 'nvcc was not found');
  else writeResources(FOLDER);
  return true;
}
