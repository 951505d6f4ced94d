/** NVIDIA's compute-sanitizer over the suites of test/cuda: accesses, races in shared memory, barriers. */

import { existsSync } from 'node:fs';
import { TESTS } from './build.mjs';
import { countsOfSuite, nativeSuites } from './test.mjs';

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

export async function sanitize(steps, { gpu, sanitizer }) {
  const missing = gpu === null ? 'there is no GPU' : sanitizer === null ? 'compute-sanitizer was not found' : undefined;
  if (missing !== undefined) {
    steps.skip(TOOLS.map(({ tool }) => tool).join(', '), missing);
    return;
  }
  if (!existsSync(TESTS)) {
    steps.failed('all tools', 'the tests were not built');
    return;
  }
  for (const { tool, seconds, arguments: more } of TOOLS) {
    // The recurrence first: where time is short it is what matters most.
    for (const suite of nativeSuites().reverse()) {
      const tests = [TESTS, `--suite=${suite}`, ...(suite in SMALLER ? [SMALLER[suite]] : [])];
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
