import { setImmediate } from 'node:timers/promises';

/**
 * Long work as a generator that yields wherever it can be interrupted, at least every few milliseconds: written once,
 * run either at a stretch or in slices between which the event loop serves others.
 */
export type Work<Result> = Generator<void, Result, void>;

// Timers and sockets of the process wait for a slice to end; a training run's progress events do as well.
const SLICE_MILLISECONDS = 4;

export function runAtOnce<Result>(work: Work<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Rejects with the signal's reason if it aborts; the work is then left where it stands. */
export async function runInSlices<Result>(work: Work<Result>, signal?: AbortSignal): Promise<Result> {
  signal?.throwIfAborted();
  let sliceEnd = performance.now() + SLICE_MILLISECONDS;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < sliceEnd) continue;
    await setImmediate();
    signal?.throwIfAborted();
    sliceEnd = performance.now() + SLICE_MILLISECONDS;
  }
}
