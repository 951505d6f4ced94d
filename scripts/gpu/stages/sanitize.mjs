/** NVIDIA's compute-sanitizer over the suites of test/cuda: accesses, races in shared memory, barriers. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { countsOfSuite, nativeSuites, SUITES } from './test.mjs';

/**
 * Tools by what they find. The recurrence has hundreds of cases, and its kernels take a hundred times as long under a
 * tool: the named case holds every variant in every kernel.
 */
const TOOLS = [
  { tool: 'memcheck', seconds: 120, arguments: ['--padding=32'] },
  { tool: 'racecheck', seconds: 150, arguments: ['--racecheck-report=analysis'] },
  { tool: 'synccheck', seconds: 90, arguments: [] },
];
const SMALLER = { recurrence_kernels_test: '--filter=every variant equals' };

/** Differs from what the tests themselves return. */
const FOUND = 86;

/** What a tool says where the system keeps it from the device, as some sandboxes do. */
const REFUSED = /Device not supported|not supported on this (device|system)|Unable to (find|locate) injection library/;

export async function sanitize(steps, { sanitizer }) {
  if (sanitizer === null) {
    steps.skip(TOOLS.map(({ tool }) => tool).join(', '), 'compute-sanitizer was not found');
    return;
  }
  if (!existsSync(SUITES)) {
    steps.failed('all tools', 'the tests were not built');
    return;
  }
  const refusal = whyRefused(sanitizer);
  if (refusal !== undefined) {
    steps.skip(TOOLS.map(({ tool }) => tool).join(', '), refusal);
    return;
  }
  for (const { tool, seconds, arguments: more } of TOOLS) {
    // The recurrence first: where time is short it is what matters most.
    for (const suite of nativeSuites().reverse()) {
      const tests = [SUITES, `--suite=${suite}`, ...(suite in SMALLER ? [SMALLER[suite]] : [])];
      const tools = ['--tool', tool, `--error-exitcode=${FOUND}`, '--print-limit=20', ...more];
      await steps.run(`${tool} of test/cuda/${suite}`, sanitizer, [...tools, ...tests], {
        seconds,
        // Once: the tool slows each run by two orders of magnitude.
        env: { SLIM_LSTM_TEST_RUNS: '1' },
        counts: (output) => countsOfSuite(output.replace(/^=+ .*\n?/gm, '')),
      });
    }
  }
}

/** Tried on the smallest suite, before three dozen runs fail for one reason; undefined where the tools work. */
function whyRefused(sanitizer) {
  const { stdout, stderr } = spawnSync(sanitizer, ['--tool', 'memcheck', SUITES, '--suite=memory_test'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return `${stdout}${stderr}`.split('\n').find((line) => REFUSED.test(line));
}
