/**
 * Brings a fresh checkout to where it runs: system packages, npm packages, the addon, dist. Needs Node alone; takes
 * about a second when all is there. `npm run demo` and `npm test` begin with it.
 */

import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { main } from './setup/command.mjs';
import { withSetupLock } from './setup/lock.mjs';
import { ensureModules } from './setup/modules.mjs';
import { ensureAddon } from './setup/native.mjs';
import { ensureToolchain } from './setup/toolchain.mjs';
import { ensureDist } from './setup/typescript.mjs';

export async function setup() {
  await withSetupLock(() => {
    ensureToolchain();
    ensureModules();
    ensureAddon();
    ensureDist();
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(setup);
