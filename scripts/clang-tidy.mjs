/** clang-tidy over the C++ sources, as many files at once as there are cores. The native build must have run. */

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { nativeFiles } from './checks.mjs';
import { root } from './setup/command.mjs';

function tidy(file) {
  return new Promise((resolve) => {
    const child = spawn('clang-tidy', ['-p', 'build', '--quiet', file], { cwd: root });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.on('close', (status) => resolve({ file, status, output }));
  });
}

// Files of bench and of the CUDA device are not in the compilation database of the ordinary build.
const files = nativeFiles(['.cc']).filter((file) => !/^(bench|native\/cuda|test\/cuda)\//.test(file));
let next = 0;
let failed = 0;

async function worker() {
  while (next < files.length) {
    const { file, status, output } = await tidy(files[next++]);
    if (output.trim() !== '') console.log(output.trim());
    if (status !== 0) {
      failed += 1;
      console.log(`FAILED ${file}`);
    }
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(`clang-tidy: ${files.length - failed} files clean, ${failed} not`);
process.exitCode = failed === 0 ? 0 : 1;
