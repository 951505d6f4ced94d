/**
 * `npm test`: sets up what lacks, then checks types and form and runs the native and the TypeScript tests. The last
 * line reads `N passed, N failed`, counted from the machine-readable reports; build/reports/summary.json holds the
 * same. With arguments (`npm test -- test/text`) it runs only the TypeScript tests, with these arguments for vitest.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { quickChecks, runChecks } from './checks.mjs';
import { main, root, statusOf } from './setup/command.mjs';
import { ensureCheckedCudaLibrary } from './setup/cuda.mjs';
import { withSetupLock } from './setup/lock.mjs';
import { ensureEmulatedCudaTests, ensureNativeTests } from './setup/native.mjs';
import { setup } from './setup.mjs';
import { COUNTS } from './vitest-counts.mjs';

const REPORTS = join(root, 'build', 'reports');
const CTEST_REPORT = join(REPORTS, 'ctest.xml');
const VITEST_REPORT = join(root, COUNTS);

const NOTHING = { passed: 0, failed: 0, skipped: 0, unfinished: 0 };

const readJson = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined);

/** The suites CTest ran, from its JUnit report: their names and whether they passed. */
function ctestSuites() {
  if (!existsSync(CTEST_REPORT)) return [];
  const cases = readFileSync(CTEST_REPORT, 'utf8').matchAll(/<testcase name="([^"]+)"[^>]* status="([^"]+)"/g);
  return [...cases].map(([, name, status]) => ({ name, passed: status === 'run' }));
}

/** Counts the cases of one suite; a suite that failed without telling a failed case (a crash) is one failure. */
function countSuite({ name, passed }) {
  const report = readJson(join(REPORTS, `native-${name}.json`)) ?? NOTHING;
  return { passed: report.passed, failed: passed ? report.failed : Math.max(report.failed, 1) };
}

function runNativeTests() {
  console.log('\n== native tests');
  const status = statusOf('ctest', ['--test-dir', 'build', '--output-on-failure', '--output-junit', CTEST_REPORT]);
  const counts = ctestSuites().map(countSuite);
  const failed = counts.reduce((sum, suite) => sum + suite.failed, 0);
  return {
    name: 'native',
    passed: counts.reduce((sum, suite) => sum + suite.passed, 0),
    failed: status === 0 ? failed : Math.max(failed, 1),
    skipped: 0,
  };
}

function runTypeScriptTests(filters) {
  console.log('\n== TypeScript tests');
  const args = ['run', '--reporter=default', '--reporter=./scripts/vitest-counts.mjs', ...filters];
  const status = statusOf(process.execPath, ['node_modules/vitest/vitest.mjs', ...args]);
  const { passed, failed, skipped, unfinished } = readJson(VITEST_REPORT) ?? NOTHING;
  const lost = failed + unfinished;
  return { name: 'typescript', passed, failed: status === 0 ? lost : Math.max(lost, 1), skipped };
}

function countChecks(results) {
  const count = (outcome) => results.filter((result) => result.outcome === outcome).length;
  return { name: 'form', passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

function summarise(parts) {
  const total = (key) => parts.reduce((sum, part) => sum + part[key], 0);
  const summary = { passed: total('passed'), failed: total('failed'), skipped: total('skipped'), parts };
  writeFileSync(join(REPORTS, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  console.log();
  for (const { name, passed, failed, skipped } of parts) {
    console.log(`${name}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  }
  console.log(`${summary.passed} passed, ${summary.failed} failed`);
  process.exitCode = summary.failed === 0 ? 0 : 1;
}

await main(async () => {
  rmSync(REPORTS, { recursive: true, force: true });
  await setup();
  mkdirSync(REPORTS, { recursive: true });
  const filters = process.argv.slice(2);
  if (filters.length > 0) {
    summarise([runTypeScriptTests(filters)]);
    return;
  }
  await withSetupLock(() => {
    ensureNativeTests();
    ensureEmulatedCudaTests();
    ensureCheckedCudaLibrary();
  });
  summarise([countChecks(runChecks(quickChecks)), runNativeTests(), runTypeScriptTests([])]);
});
