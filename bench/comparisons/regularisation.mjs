/** What dropout, recurrent dropout and masks cost the layer: ours beside ours. */

import { join } from 'node:path';
import { textLikeTokens } from '../../dist/timing/text-like-tokens.js';
import { writeArrays } from '../instrument/arrays.mjs';
import { vocabulary } from '../instrument/real-data.mjs';
import { takeTurns } from '../instrument/turns.mjs';
import { goals } from './goals.mjs';
import { shapeName, shapes } from './layer.mjs';

export const title = 'What dropout and masks cost';

const VARIANTS = ['LSTM', 'LSTM3', 'LSTM10'];
const BATCHES = 4;

const BY_DROPOUT = [
  { name: 'none' },
  { name: 'recurrent dropout 0.3', recurrentDropout: 0.3 },
  { name: 'input dropout 0.2', dropout: 0.2 },
  { name: 'both', dropout: 0.2, recurrentDropout: 0.3 },
];

export async function measure(context) {
  const groups = [];
  for (const shape of shapes) {
    for (const variant of VARIANTS) {
      groups.push(
        await compared(`${variant}, (T, B, m, n) = (${shapeName(shape)})`, { variant, ...shape }, BY_DROPOUT, context),
      );
    }
  }
  const [shape] = shapes;
  const folder = await writeTokens(shape, context);
  for (const variant of VARIANTS) {
    const layer = { variant, ...shape, vocabulary };
    const rows = [
      { name: 'tokens without padding', folder: folder.full },
      { name: 'the same, with a mask', folder: folder.full, maskZero: true },
      { name: 'padded in front', folder: folder.padded },
      { name: 'the same, with a mask', folder: folder.padded, maskZero: true },
    ];
    const title = `${variant} behind an embedding, (T, B, m, n) = (${shapeName(shape)})`;
    groups.push(await compared(`${title}, no padding`, layer, rows.slice(0, 2), context));
    groups.push(await compared(`${title}, lengths as of posts`, layer, rows.slice(2), context));
  }
  return {
    about: 'Training step of the layer, each form beside the first. Behind an embedding the table is learnt too.',
    groups,
  };
}

async function compared(title, layer, forms, { ours, rounds, samples, pace, progress }) {
  const entrants = forms.map(({ name, ...form }) => ({
    name,
    turn: async () => (await ours.call('layer', { ...layer, ...form, samples })).milliseconds,
  }));
  const rows = await takeTurns(entrants, rounds, progress, pace);
  return {
    title,
    unit: 'ms',
    score: 'slowdown',
    atMost: true,
    rows: rows.map((row, i) => ({
      ...row,
      score: row.median / rows[0].median,
      goal: i === 0 || forms[i].dropout !== undefined ? undefined : goals.slowdown,
    })),
  };
}

/** Tokens that fill all steps, and tokens padded in front. */
async function writeTokens({ steps, batch }, { scratch }) {
  const padded = textLikeTokens(BATCHES * batch, steps, vocabulary, 1);
  const drawn = padded.data.filter((id) => id !== 0);
  const full = Int32Array.from(padded.data, (id, i) => (id === 0 ? drawn[i % drawn.length] : id));
  const folders = { full: join(scratch, 'tokens-full'), padded: join(scratch, 'tokens-padded') };
  const shape = [BATCHES, batch, steps];
  writeArrays(folders.full, { ids: { data: full, shape } });
  writeArrays(folders.padded, { ids: { data: padded.data, shape } });
  return folders;
}
