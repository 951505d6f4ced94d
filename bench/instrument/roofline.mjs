/**
 * The least time that a training step of a layer can take on a machine, by its measured ceilings:
 *
 *     max( products / multiply-add rate + activations / activation rate , bytes / memory rate )
 *
 * Products count 2 operations a multiply-add, three times each: forward pass, gradient of the weights, gradient of the
 * operand. Activations are those of the forward pass. Bytes are what no order of the work avoids: x read in the forward
 * pass and for the gradient of W, h and c written and read again. A cache that holds some of it beats that last part.
 */

import { cost, elementwiseCost, variants } from '../../dist/index.js';

const BYTES = 4;

/**
 * @param positions steps of sequences that are walked: T B, or fewer where padding is walked once
 * @param inputRows rows of x that are multiplied by W: as many, or fewer where rows repeat
 * @returns gflop of the products, gigabytes, milliseconds at the ceilings, and which of them binds
 */
export function layerRoofline(variant, { steps, batch, inputSize, units }, ceiling, setting) {
  const { inputMacs, recurrentMacs } = cost(variant, { inputSize, units });
  const each = elementwiseCost(variants[variant], units);
  const { positions = steps * batch, inputRows: rows = positions, inputGradient } = setting;
  const products = 2 * ((inputGradient ? 3 : 2) * inputMacs * rows + 3 * recurrentMacs * positions);
  const elementwise = 2 * 3 * (each.state + each.diagonal) * positions;
  const activations = (each.recurrentActivation + each.activation) * positions;
  const bytes = BYTES * (2 * rows * inputSize + 4 * positions * units);
  const computing = (products + elementwise) / ceiling.gflops + activations / ceiling.activations;
  const moving = bytes / ceiling.gigabytes;
  return {
    gflop: rounded(products * 1e-9),
    megabytes: rounded(bytes * 1e-6),
    milliseconds: rounded(Math.max(computing, moving) * 1e-6),
    bound: moving > computing ? 'memory' : 'arithmetic',
  };
}

function rounded(value) {
  return Number(value.toPrecision(4));
}
