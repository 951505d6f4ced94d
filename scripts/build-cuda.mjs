/**
 * Builds the CUDA library into build/Release, beside the addon.
 *
 *   npm run build:cuda                                     for the GPUs of this machine; for all kinds where it has none
 *   npm run build:cuda -- --architectures=all              for all kinds, as the package ships it
 *   npm run build:cuda -- --architectures="80-real;90a"    for these compute capabilities, in CMake's notation
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { main, root } from './setup/command.mjs';
import { buildCudaLibrary, machineArchitectures } from './setup/cuda.mjs';

await main(() => {
  const { values } = parseArgs({ options: { architectures: { type: 'string' } } });
  const asked = values.architectures ?? machineArchitectures() ?? 'all';
  console.log(`Building the CUDA library for ${asked === 'all' ? 'all kinds of GPUs' : asked}`);
  const output = join(root, 'build', 'Release');
  buildCudaLibrary({
    folder: join(root, 'build', 'cuda'),
    output,
    architectures: asked === 'all' ? undefined : asked,
  });
  const megabytes = (statSync(join(output, 'libslim_lstm_cuda.so')).size / 1e6).toFixed(1);
  console.log(`build/Release/libslim_lstm_cuda.so: ${megabytes} MB`);
});
