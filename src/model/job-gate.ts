import { BusyError, DisposedError } from '../errors.js';

export type Job = 'fit' | 'evaluate' | 'predict' | 'gradients';

/**
 * Who may use the engine's model now. One job has it at a time; `fit` lends it to what its callbacks call between two
 * runs of the engine, and goes on when they are done.
 */
export class JobGate {
  #job: Job | null = null;
  #guest: { readonly job: Job; readonly left: Promise<void> } | null = null;
  #lent = false;
  #disposed = false;

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DisposedError once the model is disposed. */
  checkAlive(action: string): void {
    if (this.#disposed) throw new DisposedError(`Cannot call ${action} of a model that was disposed`);
  }

  /** For what touches the weights at once: they must not be in the engine's hands. */
  checkIdle(action: string): void {
    this.checkAlive(action);
    if (this.#guest !== null) throw busy(this.#guest.job, action);
    if (this.#job !== null && !this.#lent) throw busy(this.#job, action);
  }

  /** For what changes the model under a running `fit` as well: not even its callbacks may. */
  checkNoJob(action: string): void {
    this.checkAlive(action);
    if (this.#job !== null) throw busy(this.#job, action);
  }

  /** Takes the model for a job; the function returned gives it back. */
  enter(job: Job): () => void {
    this.checkAlive(job);
    if (this.#job === null) {
      this.#job = job;
      return () => {
        this.#job = null;
      };
    }
    if (!this.#lent || this.#guest !== null || job === 'fit') throw busy(this.#guest?.job ?? this.#job, job);
    let leave: () => void = () => undefined;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.#guest = { job, left };
    return () => {
      this.#guest = null;
      leave();
    };
  }

  /** Runs the callbacks of `fit`, which may use the model; waits for a job that they began and did not wait for. */
  async lend(callbacks: () => Promise<void>): Promise<void> {
    this.#lent = true;
    try {
      await callbacks();
    } finally {
      this.#lent = false;
      await this.#guest?.left;
    }
  }

  dispose(): void {
    this.#disposed = true;
  }
}

function busy(running: Job, action: string): BusyError {
  return new BusyError(
    `Cannot call ${action} while ${running} is running on the model; wait for its promise, or end it by its signal`,
  );
}
