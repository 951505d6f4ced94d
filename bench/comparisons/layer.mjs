/** The layer's training step beside PyTorch's `nn.LSTM` and oneDNN's LSTM primitive. */

import { Contestant } from '../instrument/contestant.mjs';
import { layerRoofline } from '../instrument/roofline.mjs';
import { takeTurns } from '../instrument/turns.mjs';
import { layerGoal, savingGoal, variantNames } from './goals.mjs';

export const title = 'The layer beside PyTorch and oneDNN';

export const shapes = [
  { steps: 128, batch: 64, inputSize: 128, units: 128 },
  { steps: 128, batch: 64, inputSize: 100, units: 256 },
  { steps: 256, batch: 32, inputSize: 128, units: 512 },
];

export const shapeName = ({ steps, batch, inputSize, units }) => `${steps}, ${batch}, ${inputSize}, ${units}`;

const PEER = 'PyTorch nn.LSTM';

export async function measure(context) {
  const groups = [];
  for (const shape of shapes) groups.push(await measureShape(shape, context));
  return {
    about:
      'Forward and backward pass, gradients of the weights, random input without a gradient of its own, last state only. ' +
      'Ours is timed by `timeLayer`. oneDNN computes the gradient of the input in any case.',
    groups,
  };
}

async function measureShape(shape, { ours, torch, threads, rounds, samples, programs, ceiling, pace, progress }) {
  const flops = new Map();
  const entrants = variantNames.map((variant) => ({
    name: variant,
    turn: async () => {
      const answer = await ours.call('layer', { variant, ...shape, samples });
      flops.set(variant, answer.flops);
      return answer.milliseconds;
    },
  }));
  const { chosen } = await torch.call('layer', { key: 'layer', ...shape });
  entrants.push({
    name: PEER,
    form: chosen,
    turn: async () => (await torch.call('time', { key: 'layer', samples })).milliseconds,
  });
  let primitive;
  if (programs.lstmPrimitive !== undefined) {
    const sizes = shapeName(shape).replaceAll(' ', '');
    primitive = new Contestant('oneDNN', [programs.lstmPrimitive, sizes], { OMP_NUM_THREADS: String(threads) });
    const { oneDNN } = await primitive.call('describe');
    const turn = async () => (await primitive.call('time', samples)).milliseconds;
    entrants.push({ name: 'oneDNN LSTM primitive', form: oneDNN, turn });
  }
  const rows = await takeTurns(entrants, rounds, progress, pace);
  primitive?.end();
  await torch.call('drop', { key: 'layer' });

  const peer = rows.find(({ name }) => name === PEER);
  const base = rows.find(({ name }) => name === 'LSTM');
  return {
    title: `(T, B, m, n) = (${shapeName(shape)})`,
    unit: 'ms',
    score: 'times faster than nn.LSTM',
    rows: rows.map((row) => {
      const score = peer.median / row.median;
      if (!flops.has(row.name)) return { ...row, score };
      const flopRatio = flops.get('LSTM') / flops.get(row.name);
      return {
        ...row,
        score,
        goal: layerGoal(row.name, shape.units),
        saving: base.median / row.median / flopRatio,
        savingGoal: savingGoal(row.name),
        roofline: layerRoofline(row.name, shape, ceiling, { inputGradient: false }),
      };
    }),
  };
}
