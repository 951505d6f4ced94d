/** Whether all contestants compute the same numbers, so that what is timed is the same thing. */

import { join } from 'node:path';
import { Contestant } from '../instrument/contestant.mjs';

const SHAPE = { steps: 64, batch: 16, inputSize: 96, units: 112 };
const VOCABULARY = 300;

/** Of the loss, and of gradients relative to the largest of an array: sums of float32 in another order. */
const TOLERANCE = 1e-4;

/**
 * Loss and gradients of one batch by each peer beside ours.
 *
 * @returns the largest relative differences by contest
 * @throws Error where one is beyond the tolerance
 */
export async function checkEquality({ ours, torch, keras, programs, scratch }) {
  const differences = {};
  const compare = async (name, variant, peer, vocabulary) => {
    const folder = join(scratch, 'reference');
    await ours.call('reference', { variant, ...SHAPE, vocabulary, folder });
    const { loss = 0, gradient } = await peer(folder);
    differences[name] = { loss, gradient };
    if (!(loss < TOLERANCE && gradient < TOLERANCE)) {
      throw new Error(`${name} differs from ours: its loss by ${loss}, its gradients by ${gradient}`);
    }
  };
  const asked = (contestant, variant) => (folder) => contestant.call('check', { variant, folder });
  if (torch !== undefined) {
    await compare('PyTorch nn.LSTM', 'LSTM', asked(torch, 'LSTM'));
    await compare('PyTorch Embedding + nn.LSTM', 'LSTM', asked(torch, 'LSTM'), VOCABULARY);
    for (const variant of ['LSTM3', 'LSTM10']) await compare(`PyTorch ${variant}`, variant, asked(torch, variant));
  }
  if (keras !== undefined) {
    for (const variant of ['LSTM3', 'LSTM10']) await compare(`Keras ${variant}`, variant, asked(keras, variant));
  }
  if (programs.lstmPrimitive !== undefined) {
    await compare('oneDNN LSTM primitive', 'LSTM', async (folder) => {
      const primitive = new Contestant('oneDNN', [programs.lstmPrimitive, Object.values(SHAPE).join(), folder]);
      const { difference } = await primitive.call('check');
      primitive.end();
      return { gradient: difference };
    });
  }
  return differences;
}
