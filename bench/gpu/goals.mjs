/** What the project set out to reach on a GPU (an H200's class), PyTorch with cuDNN in the same run. */

import { family } from '../instrument/family.mjs';

/** The shapes of the comparison, largest teams last. */
export const SHAPES = [
  { units: 128, inputSize: 100, batch: 64, steps: 500 },
  { units: 256, inputSize: 300, batch: 128, steps: 400 },
  { units: 512, inputSize: 300, batch: 128, steps: 200 },
];

export const shapeName = ({ units, inputSize, batch, steps }) => `n ${units}, m ${inputSize}, B ${batch}, T ${steps}`;

/** Times faster than `nn.LSTM`, forward and backward, by units. */
const GOALS = {
  standard: { 128: 3, 256: 4, 512: 3 },
  wide: { 128: 4, 256: 6, 512: 4 },
  slim: { 128: 7, 256: 12, 512: 10 },
  scan: { 128: 20, 256: 20, 512: 12 },
};

export const layerGoal = (variant, units) => GOALS[family(variant)][units];

/** The published table: so many runs of so many epochs, several at once, in so many minutes. */
export const TABLE = { runs: 60, epochs: 100, minutes: 10 };

/** Of an epoch of the network of Kent & Salem over 15,998 posts of 20 Newsgroups. */
export const EPOCH = { posts: 15_998, seconds: 0.5 };
