/**
 * Fetches the headers of cuBLASLt and cuDNN into build/cuda-headers, for machines whose CUDA toolkit lacks them: pip
 * downloads NVIDIA's packages (about 1 GB, of which the headers are kept). The CUDA library is then compiled against
 * them; it opens the libraries themselves when it runs, wherever they are there.
 *
 *   node scripts/cuda-headers.mjs
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main, root, run } from './setup/command.mjs';

/** The packages, and the folder in which cmake/Cuda.cmake looks for the headers of each. */
const PACKAGES = { 'nvidia-cublas': 'cublaslt', 'nvidia-cudnn-cu13': 'cudnn' };

/** argv: the folder of the wheels, that of the headers. A wheel is a zip archive. */
const UNPACK = `
import os, sys, zipfile
wheels, headers = sys.argv[1:]
for name in os.listdir(wheels):
    with zipfile.ZipFile(os.path.join(wheels, name)) as wheel:
        for entry in wheel.namelist():
            folder, file = os.path.split(entry)
            if file.endswith('.h') and os.path.basename(folder) == 'include':
                with open(os.path.join(headers, file), 'wb') as out:
                    out.write(wheel.read(entry))
`;

await main(() => {
  for (const [name, folder] of Object.entries(PACKAGES)) {
    const headers = join(root, 'build', 'cuda-headers', folder);
    const wheels = mkdtempSync(join(tmpdir(), 'slim-lstm-wheels-'));
    try {
      rmSync(headers, { recursive: true, force: true });
      mkdirSync(headers, { recursive: true });
      run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', wheels, name]);
      run('python3', ['-c', UNPACK, wheels, headers]);
    } finally {
      rmSync(wheels, { recursive: true, force: true });
    }
    console.log(`The headers of ${name} are in ${headers}`);
  }
});
