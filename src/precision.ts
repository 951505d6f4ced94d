/** How much of their float32 operands the products of a GPU keep. */

import { choice } from './arguments.js';

/**
 * All 24 significant bits, 11 or 8: the fewer, the faster a GPU's matrix units multiply. Weights, states and sums stay
 * float32 in any case.
 */
export type Precision = 'float32' | 'tf32' | 'bfloat16';

export const precisions: readonly Precision[] = ['float32', 'tf32', 'bfloat16'];

/** @throws InvalidArgumentError for anything else, with the nearest name. */
export function checkedPrecision(value: unknown): Precision {
  return choice(value, 'precision', precisions);
}
