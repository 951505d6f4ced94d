/** Everything that is tested on the GPU, each suite a process of its own, so that a kernel that hangs costs one. */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from '../../setup/command.mjs';
import { COUNTS } from '../../vitest-counts.mjs';
import { ADDON, FOLDER, RELEASE, TESTS } from '../native.mjs';

/** One executable for all suites. */
export const SUITES = join(FOLDER, TESTS);

const SUITE_SECONDS = 120;
const FILE_SECONDS = 180;
const DEMO_SECONDS = 120;
/** 360 posts validate, and training enlarges what rounding differs by. */
const DEMO_POINTS = 5;

/** The suites of test/cuda; those of the recurrence last, as they take the most risk. */
export function nativeSuites() {
  const suites = readdirSync(join(root, 'test', 'cuda')).filter((name) => name.endsWith('_test.cc'));
  const names = suites.map((name) => name.replace('.cc', '')).sort();
  const last = (name) => (name.startsWith('recurrence') ? 1 : 0);
  return names.sort((a, b) => last(a) - last(b));
}

export function countsOfSuite(output) {
  const [, passed, failed] = output.match(/(\d+) passed, (\d+) failed\s*$/) ?? [];
  if (passed !== undefined) return { passed: Number(passed), failed: Number(failed), skipped: 0 };
  // It died on the way.
  const count = (word) => output.match(new RegExp(`^${word} `, 'gm'))?.length ?? 0;
  return { passed: count('ok'), failed: count('FAILED') + 1, skipped: 0 };
}

function vitestCounts() {
  const file = join(root, COUNTS);
  if (!existsSync(file)) return undefined;
  const { passed, failed, skipped, unfinished } = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  return { passed, failed: failed + unfinished, skipped };
}

function vitest(steps, file, env) {
  rmSync(join(root, COUNTS), { force: true });
  const reporters = ['--reporter=verbose', '--reporter=./scripts/vitest-counts.mjs'];
  return steps.run(file, process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, file], {
    seconds: FILE_SECONDS,
    env: { NO_COLOR: '1', ...env },
    counts: vitestCounts,
  });
}

function filesIn(folder) {
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith('.test.ts'));
  return names.sort().map((name) => `${folder}/${name}`);
}

export async function test(steps) {
  if (!existsSync(join(RELEASE, ADDON))) {
    steps.failed('all tests', 'the addon was not built');
    return;
  }
  await steps.run('doctor', process.execPath, ['dist/cli/main.js', 'doctor'], { seconds: 60 });
  await runNativeSuites(steps);
  for (const file of filesIn('test/gpu')) await vitest(steps, file, { SLIM_LSTM_EXPECT_GPU: '1' });
  // What the oracle says of every layer, loss and optimizer, with the GPU in place of the CPU.
  for (const file of filesIn('test/operations')) await vitest(steps, file, { SLIM_LSTM_TEST_DEVICE: 'cuda' });
  await compareDemos(steps);
}

/** The whole network on real posts, to the end: once with the GPU, which is the first choice, and once without. */
async function compareDemos(steps) {
  const demo = async (name, env) => {
    const { output } = await steps.run(name, process.execPath, ['examples/demo.mjs'], { seconds: DEMO_SECONDS, env });
    return {
      accuracy: Number(output.match(/Validation accuracy: ([\d.]+) %/)?.[1]),
      speed: output.match(/Speed: (\S+)/)?.[1],
    };
  };
  const gpu = await demo('demo on the GPU', {});
  const cpu = await demo('demo on the CPU', { CUDA_VISIBLE_DEVICES: '' });
  steps.note(
    `demo: ${gpu.accuracy} % of the validation posts right, ${gpu.speed} posts/s on the GPU; ` +
      `${cpu.accuracy} %, ${cpu.speed} posts/s on the CPU`,
  );
  if (!(Math.abs(gpu.accuracy - cpu.accuracy) <= DEMO_POINTS)) {
    steps.failed('demo', `expected accuracies within ${DEMO_POINTS} points of each other`);
  }
}

async function runNativeSuites(steps) {
  if (!existsSync(SUITES)) {
    steps.failed('test/cuda', 'it was not built');
    return;
  }
  for (const suite of nativeSuites()) {
    const limits = { seconds: SUITE_SECONDS, counts: countsOfSuite };
    await steps.run(`test/cuda/${suite}`, SUITES, [`--suite=${suite}`], limits);
  }
}
