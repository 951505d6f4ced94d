/** Builds what changed: the addon, the native tests, dist. The npm packages must be there (`npm run setup`). */

import { main } from './setup/command.mjs';
import { withSetupLock } from './setup/lock.mjs';
import { ensureAddon, ensureNativeTests } from './setup/native.mjs';
import { ensureDist } from './setup/typescript.mjs';

await main(() =>
  withSetupLock(() => {
    const built = [ensureAddon(), ensureNativeTests(), ensureDist()];
    if (!built.includes(true)) console.log('Everything is built already');
  }),
);
