/** The only file that loads the native addon: it finds it, or explains why it cannot. */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { NativeLoadError } from './errors.js';
import { API_VERSION, type NativeAddon } from './native.js';
import { diagnoseLoadFailure } from './native-diagnosis.js';
import { wrapAddon } from './native-errors.js';

let loaded: NativeAddon | undefined;

/**
 * The native addon, loaded on the first call. It is looked for from the package's root, the same folder seen from
 * `src/` and from `dist/`: first a build of one's own (`build/Release`), then the binaries that come with the package
 * (`prebuilds/`).
 *
 * @throws {NativeLoadError} where it cannot be loaded; the message says what was tried, why it failed and what to do.
 */
export function loadNative(): NativeAddon {
  loaded ??= wrapAddon(openAddon(fileURLToPath(new URL('..', import.meta.url))));
  return loaded;
}

function openAddon(root: string): NativeAddon {
  const require = createRequire(import.meta.url);
  let path: string | undefined;
  try {
    path = (require('node-gyp-build') as { path(root: string): string }).path(root);
    const addon = require(path) as NativeAddon;
    if (addon.apiVersion === API_VERSION) return addon;
  } catch (cause) {
    throw new NativeLoadError(diagnoseLoadFailure(root, path, cause), { cause });
  }
  throw new NativeLoadError(
    `The native addon at ${path} was built from another version of slim-lstm; build it anew with npm run build`,
  );
}
