/** What the project set out to reach on a CPU, the peers in the same run. */

import { variants } from '../../dist/index.js';
import { family } from '../instrument/family.mjs';

const LAYER_SCAN = { 128: 10, 256: 14, 512: 18 };

/** Times faster than `nn.LSTM`. */
export function layerGoal(variant, units) {
  return { standard: 1.6, wide: 2.2, slim: 5, scan: LAYER_SCAN[units] }[family(variant)];
}

/** Times faster than PyTorch's embedding and `nn.LSTM`, padded. */
export function embeddingGoal(variant) {
  return { standard: 4, slim: 8, scan: 20 }[family(variant)];
}

/** Realised saving, of the variants that have a matrix product in each step. */
export function savingGoal(variant) {
  return family(variant) === 'scan' || variant === 'LSTM' ? undefined : 0.85;
}

export const goals = { gemm: 0.9, network: 4, slowdown: 1.15, memory: 1 };

export const variantNames = Object.keys(variants);
