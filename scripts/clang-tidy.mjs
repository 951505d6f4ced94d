/**
 * clang-tidy over the C++ sources, as many files at once as there are cores; the CUDA device as its host emulation
 * compiles it. Arguments narrow it to the files whose paths have one of them, such as native/cuda. The native build must
 * have run.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
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

// Not in the compilation database of the ordinary build: bench, and what needs a GPU or NVIDIA's headers.
const commands = JSON.parse(readFileSync(join(root, 'build/compile_commands.json'), 'utf8'));
const compiled = new Set(commands.map(({ file }) => relative(root, file)));
const wanted = process.argv.slice(2);
const files = nativeFiles(['.cc', '.cu']).filter(
  (file) => compiled.has(file) && (wanted.length === 0 || wanted.some((part) => file.includes(part))),
);
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
