/** The cell as its definition reads, in float64 and one step after the other: an oracle for shapes that no fixture has. */

import type { Tensor } from '../src/tensor.js';
import { type Block, blocks, blocksWith, hasTerm, isConstantGate, type Term, type Variant } from '../src/variants.js';

export interface CellSize {
  readonly steps: number;
  readonly inputs: number;
  readonly units: number;
}

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));

/**
 * The last state of one sequence x `[steps, inputs]`, with tanh and the logistic sigmoid.
 *
 * @param weights the layer's arrays by their names without the layer's
 */
export function lastState(
  variant: Variant,
  { steps, inputs, units }: CellSize,
  weights: Readonly<Record<string, Tensor>>,
  x: Float32Array,
): Float64Array {
  const values = blocks.map((block) => blockOf(variant, block, units, weights));
  let h = new Float64Array(units);
  const c = new Float64Array(units);
  for (let t = 0; t < steps; t++) {
    const row = x.subarray(t * inputs, (t + 1) * inputs);
    const [input, forget, candidate, output] = values.map((value) => value(row, h)) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    h = new Float64Array(units);
    for (let j = 0; j < units; j++) {
      c[j] = (forget[j] as number) * (c[j] as number) + (input[j] as number) * Math.tanh(candidate[j] as number);
      h[j] = (output[j] as number) * Math.tanh(c[j] as number);
    }
  }
  return h;
}

/** A block's values `[units]`: a gate with its activation, the candidate without. */
function blockOf(variant: Variant, block: Block, units: number, weights: Readonly<Record<string, Tensor>>) {
  const gate = variant[block];
  if (isConstantGate(gate)) return () => new Float64Array(units).fill(gate.constant);
  const from = (term: Term) => blocksWith(variant, term).indexOf(block) * units;
  const { kernel, recurrent_kernel, recurrent_diagonal, bias } = weights;
  return (x: Float32Array, h: Float64Array): Float64Array => {
    const sums = new Float64Array(units);
    if (hasTerm(gate, 'input')) addProduct(sums, x, kernel as Tensor, from('input'));
    if (hasTerm(gate, 'full')) addProduct(sums, h, recurrent_kernel as Tensor, from('full'));
    if (hasTerm(gate, 'diagonal'))
      addEach(sums, (j) => (recurrent_diagonal?.data[from('diagonal') + j] ?? Number.NaN) * (h[j] ?? Number.NaN));
    if (hasTerm(gate, 'bias')) addEach(sums, (j) => bias?.data[from('bias') + j] ?? Number.NaN);
    return block === 'candidate' ? sums : sums.map(sigmoid);
  };
}

function addEach(sums: Float64Array, term: (j: number) => number): void {
  for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] as number) + term(j);
}

/** sums += row @ matrix, of which the columns from `from` on are taken. */
function addProduct(
  sums: Float64Array,
  row: Float32Array | Float64Array,
  { data, shape: [, columns = 0] }: Tensor,
  from: number,
): void {
  row.forEach((value, i) => {
    const start = i * columns + from;
    for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] as number) + value * (data[start + j] as number);
  });
}
