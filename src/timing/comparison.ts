/** What times say beside those of the standard LSTM. */

/** Operations and times of one pass. */
export interface TimedPass {
  readonly flops: number;
  readonly milliseconds: readonly number[];
}

export interface ComparedPass extends TimedPass {
  readonly median: number;
  /** A quarter of the times is below this. */
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  /** 10^9 operations a second, at the median. */
  readonly gflops: number;
  /** Median of the base / median of this: how many times faster. */
  readonly speedup: number;
  /** Speedup / (operations of the base / operations of this): 1 where the time saved is what the operations promise. */
  readonly saving: number;
}

/** A variant as it was timed: in a layer, or in a network that is trained. */
export interface TimedVariant {
  readonly name: string;
  readonly parameters: number;
  /** The forward pass of inference, where it was timed. */
  readonly forward?: TimedPass;
  /** Forward and backward pass; of a network the whole training step. */
  readonly training: TimedPass;
}

export interface ComparedVariant {
  readonly name: string;
  readonly parameters: number;
  readonly forward?: ComparedPass;
  readonly training: ComparedPass;
  /** Sequences a second in training. */
  readonly samplesPerSecond: number;
}

/** The variants in their order, beside the one named `base`, which is among them. */
export function comparedVariants(timed: readonly TimedVariant[], base: string, batch: number): ComparedVariant[] {
  const standard = timed.find(({ name }) => name === base) as TimedVariant;
  return timed.map(({ name, parameters, forward, training }) => {
    const compared = comparedPass(training, standard.training);
    return {
      name,
      parameters,
      ...(forward !== undefined && standard.forward !== undefined
        ? { forward: comparedPass(forward, standard.forward) }
        : {}),
      training: compared,
      samplesPerSecond: (1000 * batch) / compared.median,
    };
  });
}

function comparedPass(pass: TimedPass, base: TimedPass): ComparedPass {
  const median = quantile(pass.milliseconds, 0.5);
  const speedup = quantile(base.milliseconds, 0.5) / median;
  return {
    ...pass,
    median,
    lowerQuartile: quantile(pass.milliseconds, 0.25),
    upperQuartile: quantile(pass.milliseconds, 0.75),
    gflops: pass.flops / median / 1e6,
    speedup,
    saving: speedup / (base.flops / pass.flops),
  };
}

/** The value below which `part` of the values lie, between two of them by linear interpolation; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = part * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (place - Math.floor(place)) * (above - below);
}
