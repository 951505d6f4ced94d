/** Embedding and layer on real batches of reviews, beside PyTorch's. */

import { join } from 'node:path';
import { writeArrays } from '../instrument/arrays.mjs';
import {
  dataFile,
  distinctTokens,
  longestPadding,
  reviewBatches,
  trueTokens,
  vocabulary,
} from '../instrument/real-data.mjs';
import { layerRoofline } from '../instrument/roofline.mjs';
import { mean } from '../instrument/statistics.mjs';
import { takeTurns } from '../instrument/turns.mjs';
import { embeddingGoal, variantNames } from './goals.mjs';

export const title = 'Embedding and layer on IMDB reviews, beside PyTorch';

const SIZES = [
  { batch: 32, batches: 8, steps: 500 },
  { batch: 128, batches: 4, steps: 500 },
];
const WIDTHS = { inputSize: 128, units: 128 };

const PEER = 'PyTorch Embedding + nn.LSTM';
const PACKED_ROUNDS = 3;

/** The archive, or undefined where it is missing. */
export const needs = ({ data }) => dataFile(data, join('imdb', 'aclImdb_labelled.tar.gz'));

/** The batches of each size, in a folder of their own. */
async function writeReviews(context) {
  return (await reviewBatches(needs(context), SIZES)).map((ids, i) => {
    const folder = join(context.scratch, `reviews-${SIZES[i].batch}`);
    writeArrays(folder, { ids });
    return { folder, ids, size: SIZES[i] };
  });
}

export async function measure(context) {
  const groups = [];
  for (const reviews of await writeReviews(context)) groups.push(await measureReviews(reviews, context));
  return {
    about:
      'Embedding of 20,000 words x 128 and a layer of 128 units on real reviews, the last 500 tokens, padded in front; ' +
      'gradients of the table and all weights; the mean of different batches. PyTorch pads as we do; what packed sequences ' +
      'of true lengths take is told beside it.',
    groups,
  };
}

async function measureReviews({ folder, ids, size }, { ours, torch, rounds, ceiling, pace, progress }) {
  const { batch, batches, steps } = size;
  const layer = { steps, batch, ...WIDTHS };
  const table = { folder, vocabulary };
  // The reviews of one batch are longer than those of another: a turn takes them all.
  const turnOf = (contestant, method, setting) => async () => {
    const { milliseconds } = await contestant.call(method, { ...setting, samples: batches });
    return [mean(milliseconds)];
  };
  const entrants = variantNames.map((variant) => ({
    name: variant,
    turn: turnOf(ours, 'layer', { variant, ...layer, ...table }),
  }));
  const { chosen } = await torch.call('embedding', { key: 'embedding', ...table, ...WIDTHS });
  entrants.push({ name: PEER, form: chosen, turn: turnOf(torch, 'time', { key: 'embedding' }) });
  const rows = await takeTurns(entrants, rounds, progress, pace);
  await torch.call('drop', { key: 'embedding' });
  await torch.call('packed', { key: 'packed', ...table, ...WIDTHS });
  const packed = { name: 'PyTorch, packed', turn: turnOf(torch, 'time', { key: 'packed' }) };
  rows.push(...(await takeTurns([packed], Math.min(rounds, PACKED_ROUNDS), undefined, pace)));
  await torch.call('drop', { key: 'packed' });

  const peer = rows.find(({ name }) => name === PEER);
  const distinct = distinctTokens(ids);
  const tokens = trueTokens(ids);
  // Padding is walked once at the least: all reviews of a batch have the same states there.
  const walked = { positions: tokens + longestPadding(ids), inputRows: distinct, inputGradient: true };
  return {
    title:
      `B = ${batch}, T = ${steps}; ${tokens.toLocaleString('en')} of ${(batch * steps).toLocaleString('en')} positions ` +
      `of a batch are tokens, ${distinct.toLocaleString('en')} of them distinct`,
    unit: 'ms',
    score: 'times faster than PyTorch',
    rows: rows.map((row) => {
      const score = peer.median / row.median;
      if (!variantNames.includes(row.name)) return { ...row, score };
      const roofline = layerRoofline(row.name, layer, ceiling, walked);
      return { ...row, score, goal: embeddingGoal(row.name), roofline };
    }),
  };
}
