/** Memory of a training step, beside PyTorch's. */

import { summary } from '../instrument/statistics.mjs';
import { goals } from './goals.mjs';
import { shapeName, shapes } from './layer.mjs';

export const title = 'Memory of a training step';

const SHAPE = shapes.at(-1);
const RUNS = 3;
const MEBIBYTE = 2 ** 20;

export async function measure({ start, progress }) {
  const entrants = [
    { name: 'LSTM', begin: start.ours, variant: 'LSTM' },
    { name: 'LSTM3', begin: start.ours, variant: 'LSTM3' },
    { name: 'LSTM10', begin: start.ours, variant: 'LSTM10' },
    { name: 'PyTorch nn.LSTM', begin: start.torch, env: {} },
    { name: 'PyTorch nn.LSTM, malloc keeping its memory', begin: start.torch },
  ];
  const rows = [];
  for (const [i, { name, begin, variant, env }] of entrants.entries()) {
    const runs = [];
    let planned;
    for (let run = 0; run < RUNS; run++) {
      const contestant = begin(env);
      const answer = await contestant.call('memory', variant === undefined ? SHAPE : { variant, ...SHAPE });
      contestant.end();
      runs.push(answer.bytes / MEBIBYTE);
      planned = answer.planned;
    }
    progress(i + 1, entrants.length);
    rows.push({
      name,
      ...(planned === undefined ? {} : { form: `the engine plans ${Math.round(planned / MEBIBYTE)} MiB` }),
      ...summary(runs),
    });
  }
  const peer = Math.min(...rows.filter(({ name }) => name.startsWith('PyTorch')).map(({ median }) => median));
  return {
    about:
      'What three steps of SGD on a mean squared error add to the peak of resident memory: data, weights, gradients, what ' +
      'the backward pass keeps. Each run in a fresh process that has trained a tiny layer before.',
    groups: [
      {
        title: `(T, B, m, n) = (${shapeName(SHAPE)})`,
        unit: 'MiB',
        score: "times PyTorch's",
        atMost: true,
        rows: rows.map((row) => ({
          ...row,
          score: row.median / peer,
          goal: row.name.startsWith('PyTorch') ? undefined : goals.memory,
        })),
      },
    ],
  };
}
