/** A slim layer beside what one writes by hand today, in PyTorch and in Keras. */

import { takeTurns } from '../instrument/turns.mjs';
import { shapeName, shapes } from './layer.mjs';

export const title = 'Slim layers beside ones written by hand';

const VARIANTS = ['LSTM3', 'LSTM10'];

export async function measure({ ours, torch, keras, rounds, samples, pace, progress }) {
  const groups = [];
  for (const shape of shapes) {
    for (const variant of VARIANTS) {
      const key = 'handwritten';
      const inTorch = await torch.call('handwritten', { key, variant, ...shape });
      const inKeras = await keras.call('handwritten', { key, variant, ...shape });
      const timed = (peer) => async () => (await peer.call('time', { key, samples })).milliseconds;
      const turn = async () => (await ours.call('layer', { variant, ...shape, samples })).milliseconds;
      const rows = await takeTurns(
        [
          { name: `${variant}, this package`, turn },
          { name: 'a loop in PyTorch', form: inTorch.chosen, turn: timed(torch) },
          { name: 'a cell in Keras', form: inKeras.chosen, turn: timed(keras) },
        ],
        rounds,
        progress,
        pace,
      );
      await Promise.all([torch.call('drop', { key }), keras.call('drop', { key })]);
      groups.push({
        title: `${variant}, (T, B, m, n) = (${shapeName(shape)})`,
        unit: 'ms',
        score: 'times slower than ours',
        rows: rows.map((row) => ({ ...row, score: row.median / rows[0].median })),
      });
    }
  }
  return {
    about:
      'Forward and backward pass as above. By hand: the input product of all steps at once, then a loop; in PyTorch over ' +
      'the steps in Python, in Keras a cell for `keras.layers.RNN`, compiled as a graph, unrolled, or by XLA, whichever ' +
      'was the fastest. `torch.compile` of the loop of 128 steps takes two to four minutes and its steps more time than ' +
      'the plain loop, so the plain loop competes.',
    groups,
  };
}
