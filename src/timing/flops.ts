/**
 * Floating-point operations of a layer's passes: those of the matrix products, two for each multiply-add, as an
 * implementation without any shortcut would do them. Elementwise work is left out: it is of another kind, counts little
 * where there are full matrices, and a rate of GFLOP/s would mean nothing with an exponential counted as one.
 */

import { cost, type LayerSize } from '../cost.js';
import type { VariantDefinition } from '../variants.js';

export interface PassSize extends LayerSize {
  /** T */
  readonly steps: number;
  /** B */
  readonly batch: number;
  /** True: two directions. */
  readonly bidirectional: boolean;
  /** True: the backward pass gives the gradient of the input, or of the table it comes from. */
  readonly inputGradient: boolean;
}

export interface PassFlops {
  readonly forward: number;
  /** Forward and backward pass: of each product its own, that of its weights' gradient, that of its operand's. */
  readonly training: number;
}

export function passFlops(variant: string | VariantDefinition, size: PassSize): PassFlops {
  const { inputMacs, recurrentMacs } = cost(variant, size);
  const each = 2 * size.steps * size.batch * (size.bidirectional ? 2 : 1);
  return {
    forward: each * (inputMacs + recurrentMacs),
    training: each * ((size.inputGradient ? 3 : 2) * inputMacs + 3 * recurrentMacs),
  };
}
