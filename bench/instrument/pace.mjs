/**
 * Whether the machine runs at its full pace. A virtual machine's processors are at times lent to others, or put on one
 * core: for some seconds multiply-adds in registers then run at half their rate, which no figure of the system shows.
 */

import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Of the fastest rate seen. What runs slower is no noise: a probe's own spread is within 1 %. */
const FULL_PACE = 0.95;
const POLL_MILLISECONDS = 250;
/** A machine that is slow for longer is measured as it is, and the turn counts as slow. */
const LONGEST_WAIT_MILLISECONDS = 30_000;
/** Turns that the pace did not last through are taken again, so often at the most. */
const MOST_TRIES = 8;

export class Pace {
  #probe;
  #best;
  /** Turns that were taken again, and turns that count although the machine was slow. */
  repeated = 0;
  slow = 0;

  /**
   * @param probe resolves to the rate at which the machine runs now
   * @param best a rate it was seen to run at
   */
  constructor(probe, best = 0) {
    this.#probe = probe;
    this.#best = best;
  }

  /** By the program `bench_ceilings`, on as many threads as a ceiling it measured. */
  static of(program, { threads, gflops }) {
    return new Pace(async () => {
      const { stdout } = await promisify(execFile)(program, ['--multiply-adds', String(threads)]);
      return JSON.parse(stdout).gflops;
    }, gflops);
  }

  /** What `turn` resolves to, of a turn at the begin and at the end of which the machine ran at its full pace. */
  async during(turn) {
    for (let tries = 1; ; tries++) {
      const begun = await this.#waitForFullPace();
      const result = await turn();
      if (begun && (await this.#isFull())) return result;
      if (!begun || tries === MOST_TRIES) {
        this.slow++;
        return result;
      }
      this.repeated++;
    }
  }

  async #isFull() {
    const rate = await this.#probe();
    this.#best = Math.max(this.#best, rate);
    return rate >= FULL_PACE * this.#best;
  }

  async #waitForFullPace() {
    const deadline = Date.now() + LONGEST_WAIT_MILLISECONDS;
    while (!(await this.#isFull())) {
      if (Date.now() > deadline) return false;
      await setTimeout(POLL_MILLISECONDS);
    }
    return true;
  }
}
