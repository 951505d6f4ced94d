/**
 * The CUDA library as the package carries it: packed as a whole, as kernels that each differ a little from the next are
 * much smaller together. It is unpacked into memory, once, when a GPU is asked for.
 */

import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import type { NativeAddon, NativeCuda } from './native.js';

/** What the addon tells of the CUDA device, with the library unpacked for it where that has to be. */
export function openCuda(addon: NativeAddon): NativeCuda {
  const packed = addon.packedCuda();
  return packed === null ? addon.cuda() : addon.cuda(contentsOf(packed.path));
}

/** Nothing where the file cannot be read or is damaged: the addon makes that its reason. */
function contentsOf(path: string): Uint8Array {
  try {
    return brotliDecompressSync(readFileSync(path));
  } catch {
    return new Uint8Array();
  }
}
