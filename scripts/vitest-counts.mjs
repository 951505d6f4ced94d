/**
 * A reporter of vitest that counts for `npm test`: besides the tests it counts as failures what vitest's own JSON report
 * leaves out, a file that could not be loaded, a worker process that died, an error that nobody caught.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export const COUNTS = 'build/reports/vitest-counts.json';

export default class CountsReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state) => tests.filter((test) => test.result().state === state).length;
    // Hooks and imports fail outside of any test.
    const moduleErrors = modules.filter(
      (module) => module.state() === 'failed' && ![...module.children.allTests('failed')].length,
    );
    const counts = {
      passed: count('passed'),
      failed: count('failed') + moduleErrors.length + unhandledErrors.length,
      skipped: count('skipped'),
      // Neither passed nor failed nor skipped: cut off when their process died.
      unfinished: count('pending'),
    };
    mkdirSync(dirname(COUNTS), { recursive: true });
    writeFileSync(COUNTS, JSON.stringify(counts));
  }
}
