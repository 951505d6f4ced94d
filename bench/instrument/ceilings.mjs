/** What the machine can do at the most, as `bench_ceilings` measures it. */

import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Some seconds apart, since a machine may be slow for as long. */
const TRIES = 4;
const PAUSE_MILLISECONDS = 3000;

/**
 * The ceilings of one thread and of all, the best of some tries. Clock rates drift: each comparison measures its own.
 *
 * @returns the instruction set, the ceilings of each number of threads, and that of all of them
 */
export async function measuredCeilings(program, threads) {
  const counts = threads === 1 ? '1' : `1,${threads}`;
  let best;
  for (let tries = 0; tries < TRIES; tries++) {
    if (tries > 0) await setTimeout(PAUSE_MILLISECONDS);
    const { stdout } = await promisify(execFile)(program, ['--threads', counts, '--samples', '3']);
    const { target, ceilings } = JSON.parse(stdout);
    best = {
      target,
      ceilings: best === undefined ? ceilings : ceilings.map((now, i) => higher(now, best.ceilings[i])),
    };
  }
  return { ...best, ceiling: best.ceilings.at(-1) };
}

const higher = (a, b) => Object.fromEntries(Object.keys(a).map((name) => [name, Math.max(a[name], b[name])]));
