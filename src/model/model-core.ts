/** What `Model` and the functions behind its methods share: the engine's model and what is known of it. */

import { announceStreaming } from '../devices.js';
import { DisposedError, InvalidArgumentError } from '../errors.js';
import type { NativeAddon, NativeModel } from '../native.js';
import type { Architecture } from './architecture.js';
import { JobGate } from './job-gate.js';
import { type LossName, type TargetForm, targetForm } from './losses.js';
import type { Metrics } from './metrics.js';
import { nativeOptimizer, type Optimizer } from './optimizers.js';

/** What `compile` adds to a model. */
export interface Compiled {
  readonly optimizer: Optimizer;
  readonly loss: LossName;
  readonly metrics: Metrics;
  readonly targets: TargetForm;
}

export class ModelCore {
  readonly addon: NativeAddon;
  readonly native: NativeModel;
  readonly architecture: Architecture;
  readonly seed: number;
  readonly gate = new JobGate();
  learningRate = 0;
  #compiled: Compiled | null = null;

  constructor(addon: NativeAddon, native: NativeModel, architecture: Architecture, seed: number) {
    this.addon = addon;
    this.native = native;
    this.architecture = architecture;
    this.seed = seed;
  }

  get compiled(): Compiled | null {
    return this.#compiled;
  }

  /** @throws InvalidModelError where the loss cannot be taken of the model's outputs. */
  compile(optimizer: Optimizer, loss: LossName, metrics: Metrics): void {
    this.gate.checkNoJob('compile');
    const targets = targetForm(loss, this.architecture.outputShape);
    this.native.compile({ optimizer: nativeOptimizer(optimizer), loss, topK: metrics.topK });
    this.learningRate = optimizer.learningRate;
    this.#compiled = { optimizer, loss, metrics, targets };
  }

  /** @throws InvalidArgumentError before `compile`. */
  requireCompiled(action: string): Compiled {
    this.gate.checkAlive(action);
    if (this.#compiled === null) {
      throw new InvalidArgumentError(
        `Expected a compiled model for ${action}; call compile({ optimizer, loss }) first, which says what to learn`,
      );
    }
    return this.#compiled;
  }

  /**
   * One job of the engine, which the signal ends within one step.
   *
   * Rejects with the signal's reason where it did, and with DisposedError where `dispose` did.
   */
  async run<Result extends { readonly aborted: boolean; readonly streamed: boolean }>(
    action: string,
    signal: AbortSignal | undefined,
    start: () => Promise<Result>,
  ): Promise<Result> {
    signal?.throwIfAborted();
    this.gate.checkAlive(action);
    const abort = () => this.native.abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const result = await start();
      if (result.streamed) announceStreaming();
      if (!result.aborted) return result;
      signal?.throwIfAborted();
      throw new DisposedError(`The model was disposed while ${action} was running`);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  dispose(): void {
    if (this.gate.disposed) return;
    this.gate.dispose();
    this.native.dispose();
  }
}
