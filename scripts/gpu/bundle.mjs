/**
 * A bundle for a machine that has a GPU, nvcc, CMake and ninja, but neither Node nor a network: this Node, `dist`, the
 * tests, the npm modules that building and testing need, Highway's headers and all sources, as one archive.
 *
 *     node scripts/gpu/bundle.mjs [--out build/gpu/slim-lstm-gpu.tar.xz]
 *
 * There, `tar xJf slim-lstm-gpu.tar.xz && slim-lstm-gpu/scripts/gpu/run.sh` does the rest (scripts/gpu/README.md).
 */

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { main, outputOf, root, run, SetupError } from '../setup/command.mjs';
import { withSetupLock } from '../setup/lock.mjs';
import { ensureModules } from '../setup/modules.mjs';
import { ensureDist } from '../setup/typescript.mjs';

const NAME = 'slim-lstm-gpu';

/** Larger bundles are refused: they are meant to be copied by hand. */
const MOST_BYTES = 50 * 2 ** 20;

/** Development modules that neither build nor test anything: formatter, compiler of types, packaging. */
const LEFT_OUT = ['@biomejs', '@typescript', 'typescript', 'prebuildify', '.bin', '.cache'];

/** Tracked files, and new ones that git does not ignore. */
function sources() {
  const listed = outputOf('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root });
  if (listed === undefined) throw new SetupError('Expected a clone of the repository: git ls-files failed');
  return listed.split('\0').filter((path) => path !== '' && statSync(join(root, path)).isFile());
}

/** The folder of Highway's headers, as the compiler finds it. */
function highwayHeaders() {
  const rule = outputOf(process.env.CXX ?? 'c++', ['-x', 'c++', '-std=c++20', '-M', '-'], {
    input: '#include <hwy/highway.h>\n',
  });
  const header = rule?.split(/[\s\\]+/).find((path) => path.endsWith('/hwy/highway.h'));
  if (header === undefined) throw new SetupError("Expected Highway's headers (hwy/highway.h): run npm run setup first");
  return dirname(header);
}

function stage(folder) {
  for (const path of sources()) cpSync(join(root, path), join(folder, path));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const module of readdirSync(join(root, 'node_modules'))) {
    if (LEFT_OUT.includes(module)) continue;
    cpSync(join(root, 'node_modules', module), join(folder, 'node_modules', module), { recursive: true });
  }
  cpSync(process.execPath, join(folder, 'node', 'bin', 'node'));
  cpSync(highwayHeaders(), join(folder, 'include', 'hwy'), { recursive: true });
  const commit = outputOf('git', ['describe', '--always', '--dirty'])?.trim() ?? 'unknown';
  writeFileSync(join(folder, 'bundle.json'), `${JSON.stringify({ commit, node: process.version })}\n`);
  // Where headers of cuBLASLt and cuDNN were fetched, the machine need not have them.
  const headers = join(root, 'build', 'cuda-headers');
  if (existsSync(headers)) cpSync(headers, join(folder, 'build', 'cuda-headers'), { recursive: true });
}

await main(async () => {
  const { values } = parseArgs({ options: { out: { type: 'string', default: `build/gpu/${NAME}.tar.xz` } } });
  const archive = resolve(root, values.out);
  // Not the native parts: they are built where they run.
  await withSetupLock(() => {
    ensureModules();
    ensureDist();
  });
  const scratch = mkdtempSync(join(tmpdir(), 'slim-lstm-bundle-'));
  try {
    stage(join(scratch, NAME));
    mkdirSync(dirname(archive), { recursive: true });
    run('tar', ['-C', scratch, '-cf', archive, '--use-compress-program=xz -6 -T0', NAME]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const { size } = statSync(archive);
  const megabytes = (size / 2 ** 20).toFixed(1);
  if (size > MOST_BYTES) {
    rmSync(archive);
    throw new SetupError(`Expected a bundle of ${MOST_BYTES / 2 ** 20} MB at the most but it came to ${megabytes} MB`);
  }
  console.log(`${archive}: ${megabytes} MB`);
});
