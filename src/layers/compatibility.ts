/**
 * Whose conventions the initial weights of a recurrent layer follow. What the layer computes is the same for all of
 * them; they differ in the matrices over which an initializer draws, hence in the scale of the draws, and in defaults.
 *
 * - `keras`: as Keras since 2.0. Each packed array is one draw over its own shape; the forget gate's bias begins at 1.
 * - `slim22`: as the slim layers of the authors' Keras code (`slim22.py`, 2019). All recurrent weights together are one
 *   draw `[n, Gu·n + Gd]`, whose columns are those of the blocks i, f, c, o in turn, a diagonal being one column:
 *   `[n, n + 3]` for LSTM4 and LSTM5, `[n, n + 1]` for LSTM4a and LSTM5a. Biases begin at 0, the forget gate's too: the
 *   code takes `unit_forget_bias` and passes over it. Its baseline is Keras' own layer, so LSTM is as with `keras`.
 * - `lu2016`: as the layers of Lu 2016 (arXiv 1612.03707) on Keras 1. Each block has matrices of its own, `[m, n]` and
 *   `[n, n]`, each a draw of its own, so that glorotUniform has the limit sqrt(6 / (m + n)); orthogonal has a gain of
 *   1.1; the forget gate's bias begins at 1. Diagonals, which the paper does not have, are drawn as with `keras`.
 */

import type { NativeDrawnBlocks } from '../native.js';
import { type Block, blocks, blocksWith, hasTerm, type Variant, variants } from '../variants.js';
import type { Initializer } from './initializers.js';

export type Compatibility = 'keras' | 'slim22' | 'lu2016';

export const compatibilities: readonly Compatibility[] = ['keras', 'slim22', 'lu2016'];

/** The recurrent initializer where the user names none. */
export function defaultRecurrentInitializer(compatibility: Compatibility): Initializer {
  return compatibility === 'lu2016' ? { kind: 'orthogonal', gain: 1.1 } : 'orthogonal';
}

/** Whether the forget gate's bias begins at 1 where the user does not say. */
export function defaultUnitForgetBias(compatibility: Compatibility, variant: Variant): boolean {
  return compatibility !== 'slim22' || variant === variants.LSTM;
}

/** The draws that an array's weights are cut out of; undefined where the array is one draw over its own shape. */
export function drawnBlocks(
  compatibility: Compatibility,
  variant: Variant,
  units: number,
  array: 'kernel' | 'recurrent_kernel' | 'recurrent_diagonal',
): NativeDrawnBlocks | undefined {
  if (compatibility === 'lu2016') return blockByBlock(variant, units, array);
  // Where all recurrent weights lie in one array, one draw over its shape is the joint draw.
  const isJoint = blocksWith(variant, 'full').length > 0 && blocksWith(variant, 'diagonal').length > 0;
  return compatibility === 'slim22' && isJoint && array !== 'kernel' ? jointly(variant, units, array) : undefined;
}

function blockByBlock(variant: Variant, units: number, array: string): NativeDrawnBlocks | undefined {
  if (array === 'recurrent_diagonal') return undefined;
  const { length } = blocksWith(variant, array === 'kernel' ? 'input' : 'full');
  const own = Array.from({ length }, (_, draw) => ({ draw, column: 0 }));
  return { columns: units, blocks: own, asRows: false, ofEarlier: 0 };
}

function jointly(variant: Variant, units: number, array: string): NativeDrawnBlocks {
  const asRows = array === 'recurrent_diagonal';
  const columnOf = new Map<Block, number>();
  let columns = 0;
  for (const block of blocks) {
    columnOf.set(block, columns);
    columns += hasTerm(variant[block], 'full') ? units : hasTerm(variant[block], 'diagonal') ? 1 : 0;
  }
  const own = blocksWith(variant, asRows ? 'diagonal' : 'full');
  return {
    columns,
    blocks: own.map((block) => ({ draw: 0, column: columnOf.get(block) as number })),
    asRows,
    // The diagonals come right after the matrix, with which they share the draw.
    ofEarlier: asRows ? 1 : 0,
  };
}
