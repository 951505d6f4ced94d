/**
 * Builds for this machine's GPU, tests and measures there. No stage ends at its first failure; what needs a GPU is
 * skipped by name where there is none, and then nothing is built unless `build` is all that was asked for.
 *
 *   node scripts/gpu/run.mjs [build|test|sanitize|bench|all ...] [--compile] [--out FOLDER] [--minutes N]
 *
 * --compile builds also what a bundle brought built. --minutes ends the run after that time: what runs then is stopped,
 * what has not begun is skipped. The summary, the measurements and the log lie in --out, $OUT or build/gpu/results, and
 * are written after every step.
 */

import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { main, root, SetupError } from '../setup/command.mjs';
import { machineFacts } from './machine.mjs';
import { bench } from './stages/bench.mjs';
import { build } from './stages/build.mjs';
import { sanitize } from './stages/sanitize.mjs';
import { test } from './stages/test.mjs';
import { Steps } from './steps.mjs';

/** In the order in which they run: measurements before the sanitizer, which is slow. */
const STAGES = { build, test, bench, sanitize };

function chosenStages(names) {
  const known = [...Object.keys(STAGES), 'all'];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new SetupError(`Expected stages of ${known.join(', ')} but received ${unknown}`);
  const all = names.length === 0 || names.includes('all');
  return Object.keys(STAGES).filter((name) => all || names.includes(name));
}

function minutesLeft(text) {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const minutes = Number(text);
  if (minutes > 0) return minutes;
  throw new SetupError(`Expected a positive number for --minutes but received ${text}`);
}

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      compile: { type: 'boolean', default: false },
      out: { type: 'string' },
      minutes: { type: 'string' },
    },
  });
  const stages = chosenStages(positionals);
  const facts = machineFacts();
  const steps = new Steps({
    facts,
    folder: resolve(values.out ?? process.env.OUT ?? join(root, 'build', 'gpu', 'results')),
    deadline: Date.now() + minutesLeft(values.minutes) * 60_000,
  });
  if (facts.gpu === null && stages.join() !== 'build') {
    steps.begin(stages.join(', '));
    steps.skip('everything', 'nvidia-smi finds no GPU; without one, build is run where it is all that is asked for');
    stages.length = 0;
  }
  for (const name of stages) {
    steps.begin(name);
    try {
      await STAGES[name](steps, facts, values);
    } catch (error) {
      steps.failed(`${name} itself`, error);
    }
  }
  steps.finish();
});
