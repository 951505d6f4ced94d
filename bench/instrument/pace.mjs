/**
 * Whether the machine runs at its full pace. A virtual machine's processors are at times lent to others, or put on one
 * core: for some seconds multiply-adds in registers then run at half their rate. At times they are put far from each
 * other, for minutes: what one thread does alone takes as long as ever, but a cache line takes several times as long from
 * one to the other, and work of several threads on the same memory a third longer. No figure of the system shows either.
 */

import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Of the fastest rate of multiply-adds. What runs slower is no noise: a probe's own spread is within 1 %. */
const FULL_RATE = 0.95;
/** Times the shortest round trip. Near processors differ by a fifth, far ones are six times as far. */
const NEAR = 2;
const LONGEST_WAIT_MILLISECONDS = 180_000;
const POLL_MILLISECONDS = 1000;
/** Turns that the pace did not last through are taken again, so often at the most. */
const MOST_TRIES = 8;

export class Pace {
  #probe;
  #now;
  #sleep;
  #fastest = 0;
  #shortest = Number.POSITIVE_INFINITY;
  #patient = true;
  #taken = 0;
  /** Turns that were taken again, and turns that count although the machine was slow. */
  repeated = 0;
  slow = 0;

  /**
   * @param probe resolves to how the machine runs now: `gflops` of multiply-adds and, where more than one thread can run,
   *   nanoseconds of the `roundTrip` between two processors
   * @param clock `now()` and `sleep(milliseconds)`
   */
  constructor(
    probe,
    { now, sleep } = { now: () => performance.now(), sleep: (milliseconds) => setTimeout(milliseconds) },
  ) {
    this.#probe = probe;
    this.#now = now;
    this.#sleep = sleep;
  }

  /** By the program `bench_ceilings`. */
  static of(program, threads) {
    return new Pace(async () => {
      const { stdout } = await promisify(execFile)(program, ['--pace', String(threads)]);
      return JSON.parse(stdout);
    });
  }

  /**
   * Counts the turns of a comparison, which measured a ceiling of its own, as clock rates drift: the fastest rate begins
   * with it. How near the processors can lie does not drift: the shortest round trip is that of all comparisons.
   */
  begin({ gflops }) {
    this.#fastest = gflops;
    this.#taken = 0;
    this.repeated = 0;
    this.slow = 0;
  }

  /** What `turn` resolves to, of a turn at the begin and at the end of which the machine ran at its full pace. */
  async during(turn) {
    for (let tries = 1; ; tries++) {
      const begun = await this.#waitForFullPace();
      const result = await turn();
      const full = begun && (await this.#isFull());
      if (full || !begun || tries === MOST_TRIES) {
        this.#taken++;
        if (!full) this.slow++;
        return result;
      }
      this.repeated++;
    }
  }

  async #isFull() {
    const { gflops, roundTrip = 0 } = await this.#probe();
    this.#fastest = Math.max(this.#fastest, gflops);
    if (roundTrip > 0) this.#learn(roundTrip);
    return gflops >= FULL_RATE * this.#fastest && roundTrip <= NEAR * this.#shortest;
  }

  /** Where the processors turn out to lie much nearer at times, the turns so far had been taken for full ones too easily. */
  #learn(roundTrip) {
    if (NEAR * roundTrip < this.#shortest) this.slow = this.#taken;
    this.#shortest = Math.min(this.#shortest, roundTrip);
  }

  /** A machine that is slow for longer is measured as it is, without another wait before it has been at full pace again. */
  async #waitForFullPace() {
    const deadline = this.#now() + LONGEST_WAIT_MILLISECONDS;
    while (!(await this.#isFull())) {
      this.#patient &&= this.#now() < deadline;
      if (!this.#patient) return false;
      await this.#sleep(POLL_MILLISECONDS);
    }
    this.#patient = true;
    return true;
  }
}
