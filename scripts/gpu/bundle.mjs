/**
 * A bundle for a machine that has a GPU, but neither Node nor a network: this Node, `dist`, the tests, the npm modules
 * that building and testing need, Highway's headers and all sources, as one archive; and where nvcc is, what they build to
 * for one kind of GPU, so that no minute is spent there on compiling.
 *
 *     node scripts/gpu/bundle.mjs [--out build/gpu/slim-lstm-gpu.tar.xz] [--architectures 90a-real] [--without-prebuilt]
 *
 * There, `tar xJf slim-lstm-gpu.tar.xz && slim-lstm-gpu/scripts/gpu/run.sh` does the rest (scripts/gpu/README.md).
 */

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { main, outputOf, root, run, SetupError } from '../setup/command.mjs';
import { findNvcc } from '../setup/cuda.mjs';
import { withSetupLock } from '../setup/lock.mjs';
import { ensureModules } from '../setup/modules.mjs';
import { ensureDist } from '../setup/typescript.mjs';
import { USUAL_ARCHITECTURE } from './machine.mjs';
import {
  ADDON,
  compilation,
  configuration,
  DEVICE_LOSS,
  FOLDER,
  LIBRARY,
  RELEASE,
  RESOURCES,
  TESTS,
  writeResources,
} from './native.mjs';
import { prebuiltRecord } from './prebuilt.mjs';

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

/**
 * Builds what the bundle brings ready built and lays it where a build there would; undefined without nvcc. Its own folder
 * stays, as it takes minutes.
 */
function stagePrebuilt(folder, architectures) {
  if (findNvcc() === undefined) {
    console.log('The bundle brings nothing built: nvcc was not found');
    return undefined;
  }
  const paths = {
    folder: join(root, 'build', 'gpu', 'bundle'),
    release: join(root, 'build', 'gpu', 'bundle', 'Release'),
  };
  for (const { command, args, env } of [configuration({ ...paths, architectures }), compilation(paths)]) {
    run(command, args, { env: { ...process.env, ...env } });
  }
  writeResources(paths.folder);
  const places = [
    [join(paths.release, ADDON), join(RELEASE, ADDON)],
    [join(paths.release, LIBRARY), join(RELEASE, LIBRARY)],
    [join(paths.folder, TESTS), join(FOLDER, TESTS)],
    [join(paths.folder, DEVICE_LOSS), join(FOLDER, DEVICE_LOSS)],
    [join(paths.folder, RESOURCES), join(FOLDER, RESOURCES)],
  ];
  for (const [from, to] of places) {
    const there = join(folder, relative(root, to));
    cpSync(from, there);
    if (to !== join(FOLDER, RESOURCES)) run('strip', ['--strip-unneeded', there]);
  }
  return prebuiltRecord(architectures);
}

function stage(folder, prebuilt) {
  for (const path of sources()) cpSync(join(root, path), join(folder, path));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const module of readdirSync(join(root, 'node_modules'))) {
    if (LEFT_OUT.includes(module)) continue;
    cpSync(join(root, 'node_modules', module), join(folder, 'node_modules', module), { recursive: true });
  }
  cpSync(process.execPath, join(folder, 'node', 'bin', 'node'));
  cpSync(highwayHeaders(), join(folder, 'include', 'hwy'), { recursive: true });
  const commit = outputOf('git', ['describe', '--always', '--dirty'])?.trim() ?? 'unknown';
  writeFileSync(join(folder, 'bundle.json'), `${JSON.stringify({ commit, node: process.version, prebuilt })}\n`);
  // Where headers of cuBLASLt and cuDNN were fetched, the machine need not have them.
  const headers = join(root, 'build', 'cuda-headers');
  if (existsSync(headers)) cpSync(headers, join(folder, 'build', 'cuda-headers'), { recursive: true });
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: `build/gpu/${NAME}.tar.xz` },
      architectures: { type: 'string', default: USUAL_ARCHITECTURE },
      'without-prebuilt': { type: 'boolean', default: false },
    },
  });
  const archive = resolve(root, values.out);
  await withSetupLock(() => {
    ensureModules();
    ensureDist();
  });
  const scratch = mkdtempSync(join(tmpdir(), 'slim-lstm-bundle-'));
  try {
    const folder = join(scratch, NAME);
    stage(folder, values['without-prebuilt'] ? undefined : stagePrebuilt(folder, values.architectures));
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
