/** Builds what changed: the addon, the native tests, dist; installs first what that needs. */

import { main } from './setup/command.mjs';
import { withSetupLock } from './setup/lock.mjs';
import { ensureModules } from './setup/modules.mjs';
import { ensureAddon, ensureEmulatedCudaTests, ensureNativeTests } from './setup/native.mjs';
import { ensureToolchain } from './setup/toolchain.mjs';
import { ensureDist } from './setup/typescript.mjs';

await main(() =>
  withSetupLock(() => {
    ensureToolchain();
    ensureModules();
    const built = [ensureAddon(), ensureNativeTests(), ensureEmulatedCudaTests(), ensureDist()];
    if (!built.includes(true)) console.log('Everything is built already');
  }),
);
