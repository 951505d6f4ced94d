/**
 * Checks the package as a user gets it: packs it with a fresh prebuild, weighs it, installs the archive into an empty
 * project, trains, saves and loads there, runs the command, and type-checks a program against the declarations. Then it
 * takes the prebuild away: loading must say what to do, and doing that must mend it.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { prebuild } from './prebuild.mjs';
import { main, outputOf, root, run, SetupError } from './setup/command.mjs';
import { findNvcc } from './setup/cuda.mjs';
import { setup } from './setup.mjs';

const MOST_BYTES = 5e6;

const PROGRAM = `
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { layers, loadModel, optimizers, sequential } from 'slim-lstm';

const model = sequential(
  [
    layers.embedding({ inputDim: 20, outputDim: 8 }),
    layers.lstm({ units: 8, variant: 'LSTM3' }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ],
  { inputShape: [6], device: 'cpu', seed: 0 },
);
model.compile({
  optimizer: optimizers.adam({ learningRate: 0.03 }),
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
});

// Class 1 when the last token is 10 or more.
const rows = Array.from({ length: 200 }, (_, i) => Array.from({ length: 6 }, (_, t) => (i * 7 + t * t * 5) % 20));
const labels = rows.map((row) => (row[5] >= 10 ? 1 : 0));
await model.fit(rows, labels, { epochs: 20, batchSize: 20, verbose: 0 });
const { accuracy } = await model.evaluate(rows, labels);
if (!(accuracy > 0.95)) throw new Error('Expected an accuracy above 0.95 but received ' + accuracy);

const folder = join(mkdtempSync('model-'), 'model');
await model.save(folder);
const again = await loadModel(folder);
const before = await model.predict(rows);
const after = await again.predict(rows);
if (Buffer.compare(Buffer.from(before.data.buffer), Buffer.from(after.data.buffer)) !== 0) {
  throw new Error('The loaded model predicts otherwise');
}
model.dispose();
again.dispose();
console.log('accuracy ' + accuracy);
`;

const TYPED_PROGRAM = `
import { layers, sequential, type Tensor } from 'slim-lstm';

const model = sequential([layers.lstm({ units: 4, variant: 'LSTM5' }), layers.dense({ units: 1 })], {
  inputShape: [3, 2],
});
export const result: Promise<Tensor> = model.predict([[[1, 2], [3, 4], [5, 6]]]);
// @ts-expect-error: units is a number
layers.lstm({ units: 'many' });
`;

function npm(cwd, ...args) {
  run('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], { cwd });
}

function pack(folder) {
  npm(root, 'pack', '--pack-destination', folder);
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz')),
  );
}

/** What a user downloads stays small, the CUDA library for all kinds of GPUs included. */
function checkSize(archive) {
  const { size } = statSync(archive);
  console.log(`The package weighs ${(size / 1e6).toFixed(2)} MB`);
  if (size > MOST_BYTES) {
    throw new SetupError(
      `Expected a package of ${MOST_BYTES / 1e6} MB or less but it has ${(size / 1e6).toFixed(2)} MB`,
    );
  }
}

/** Where nvcc is, the package carries the CUDA library packed, and it opens, with or without a driver. */
function checkCudaLibrary(doctor, project) {
  const { cuda } = JSON.parse(outputOf(process.execPath, [doctor, 'doctor', '--json'], { cwd: project }) ?? '{}');
  if (findNvcc() !== undefined && cuda?.opened !== true) {
    throw new SetupError(`Expected the CUDA library to open but: ${cuda?.reason}`);
  }
  if (cuda?.opened && !cuda.path.endsWith('.so.br')) {
    throw new SetupError(`Expected the packed CUDA library to be opened but ${cuda.path} was`);
  }
}

function emptyProject(folder) {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }));
  writeFileSync(join(folder, 'program.mjs'), PROGRAM);
  writeFileSync(join(folder, 'typed.ts'), TYPED_PROGRAM);
}

function checkTypes(project) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
  const target = ['--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--module', 'nodenext', '--strict'];
  run(process.execPath, [tsc, '--noEmit', ...target, ...types, 'typed.ts'], { cwd: project });
}

/** The addon gone: a clear error first, then the build from the sources that the package carries. */
function checkBuildFromSource(project) {
  const installed = join(project, 'node_modules', 'slim-lstm');
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const probe = 'import("slim-lstm").then((m) => m.devices()).catch((error) => console.log(error.code, error.message))';
  const told = outputOf(process.execPath, ['-e', probe], { cwd: project }) ?? '';
  if (!told.startsWith('ERR_NATIVE_LOAD') || !told.includes('build-from-source')) {
    throw new SetupError(`Expected ERR_NATIVE_LOAD that names build-from-source but received: ${told || 'nothing'}`);
  }
  npm(project, 'install', '--no-save', 'node-addon-api@8', 'node-api-headers@1');
  run(process.execPath, [join(installed, 'scripts', 'build-from-source.mjs')], { cwd: project });
  run(process.execPath, ['program.mjs'], { cwd: project });
}

await main(async () => {
  await setup();
  prebuild();
  const folder = mkdtempSync(join(tmpdir(), 'slim-lstm-pack-'));
  try {
    const archive = pack(folder);
    checkSize(archive);
    const project = join(folder, 'project');
    emptyProject(project);
    npm(project, 'install', archive);
    run(process.execPath, ['program.mjs'], { cwd: project });
    run(join(project, 'node_modules/.bin/slim-lstm'), ['--version'], { cwd: project });
    run(join(project, 'node_modules/.bin/slim-lstm'), ['doctor'], { cwd: project });
    checkCudaLibrary(join(project, 'node_modules/slim-lstm/dist/cli/main.js'), project);
    checkTypes(project);
    checkBuildFromSource(project);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log('The package installs, runs, and can be built from its sources');
});
