/** How long a training step of a whole network takes, with one variant or another in it. */

import type { Layer } from '../layers/index.js';
import { type Architecture, arrange } from '../model/architecture.js';
import { sequential } from '../model/sequential.js';
import type { Precision } from '../precision.js';
import type { Int32Tensor } from '../tensor.js';

/** A network that is timed beside others. */
export interface TimedNetwork {
  readonly name: string;
  readonly layers: readonly Layer[];
}

export interface NetworkTimingSetting {
  /** `[N, T]`; the N rows are the steps of a turn. */
  readonly tokens: Int32Tensor;
  readonly labels: Int32Array;
  readonly batchSize: number;
  readonly device: string;
  readonly threads?: number | undefined;
  readonly precision?: Precision | undefined;
  readonly repeats: number;
  readonly warmups: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

export interface NetworkTiming {
  readonly name: string;
  readonly device: string;
  /** Trainable numbers. */
  readonly parameters: number;
  /** Operations of the matrix products of a training step, two for each multiply-add, done without any shortcut. */
  readonly flops: number;
  /** Milliseconds of a training step: the mean of each turn. */
  readonly milliseconds: number[];
}

/**
 * Trains the networks in turns. Each turn has a fresh network, which first sees all rows once without being timed, so
 * that only one network's memory is in use at a time.
 *
 * @param onProgress told how many of all turns are done, warm ones too
 */
export async function timeNetworks(
  networks: readonly TimedNetwork[],
  setting: NetworkTimingSetting,
  onProgress: (turns: number, of: number) => void,
): Promise<NetworkTiming[]> {
  const rounds = setting.warmups + setting.repeats;
  const timings = networks.map(({ name, layers }) => {
    const architecture = arrange(layers, setting.tokens.shape.slice(1));
    const flops = stepFlops(architecture, setting.batchSize);
    return { name, device: '', parameters: parameters(architecture), flops, milliseconds: [] as number[] };
  });
  for (let round = 0; round < rounds; round++) {
    for (const [i, timing] of timings.entries()) {
      const { device, milliseconds } = await turn((networks[i] as TimedNetwork).layers, setting);
      timing.device = device;
      if (round >= setting.warmups) timing.milliseconds.push(milliseconds);
      onProgress(round * networks.length + i + 1, rounds * networks.length);
    }
  }
  return timings;
}

async function turn(layers: readonly Layer[], setting: NetworkTimingSetting) {
  const { tokens, labels, batchSize, device, threads, precision, seed, signal } = setting;
  using model = sequential(layers, {
    inputShape: tokens.shape.slice(1),
    device,
    seed,
    ...(threads === undefined ? {} : { threads }),
    ...(precision === undefined ? {} : { precision }),
  });
  model.compile({ optimizer: 'rmsprop', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const { samplesPerSecond } = await model.fit(tokens, labels, {
    epochs: 2,
    batchSize,
    verbose: 0,
    ...(signal === undefined ? {} : { signal }),
  });
  return { device: model.device, milliseconds: (1000 * batchSize) / (samplesPerSecond[1] as number) };
}

function parameters({ layers }: Architecture): number {
  const arrays = layers.flatMap(({ built }) => built.spec.parameters).filter(({ trainable }) => trainable);
  return arrays.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** Of each product its own operations, those of its weights' gradient where they learn, those of its operand's. */
function stepFlops({ layers }: Architecture, batchSize: number): number {
  const learns = layers.map(({ built }) => built.spec.parameters.some(({ trainable }) => trainable));
  const first = learns.indexOf(true);
  return layers.reduce((sum, { built }, i) => {
    const products = 1 + (learns[i] ? 1 : 0) + (first >= 0 && i > first ? 1 : 0);
    return sum + 2 * batchSize * products * built.macs;
  }, 0);
}
