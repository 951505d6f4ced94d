/**
 * What this machine does, in under two minutes and without peers: `npm run bench:quick`. The first run also builds the
 * native programs, where CMake is there.
 *
 *     node bench/quick.mjs [--threads N] [--build FOLDER] [--json FILE]
 *
 * Prints the products' speed, the layer's of some variants and the network's; writes nothing but the file of --json.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { kentSalem, kentSalemLayers } from '../dist/experiments/kent-salem.js';
import { optimizers, sequential, timeLayer } from '../dist/index.js';
import { textLikeTokens } from '../dist/timing/text-like-tokens.js';
import { shapeName, shapes } from './comparisons/layer.mjs';
import { measuredCeilings } from './instrument/ceilings.mjs';
import { machine } from './instrument/machine.mjs';
import { positiveInteger, programOptions } from './instrument/options.mjs';
import { productRow, timedProducts } from './instrument/products.mjs';
import { nativePrograms } from './instrument/programs.mjs';
import { layerRoofline } from './instrument/roofline.mjs';
import { groupTable } from './instrument/tables.mjs';
import { takeTurns } from './instrument/turns.mjs';

const VARIANTS = ['LSTM', 'LSTM1', 'LSTM3', 'LSTM10'];
const ROUNDS = 5;
const PRODUCTS = '2048, K 512';
const NETWORK_BATCHES = 4;

const options = programOptions(import.meta.url, {
  threads: { type: 'string', default: String(availableParallelism()) },
  build: { type: 'string' },
  json: { type: 'string' },
});
const threads = positiveInteger(options, 'threads');

const results = { machine: machine(), date: new Date().toISOString().slice(0, 10), threads, groups: [] };

function report(group) {
  results.groups.push(group);
  console.log(`\n${group.title}\n\n${groupTable(group)}`);
}

/** The ceilings of all threads; undefined where the native programs cannot be built. */
async function products() {
  let programs;
  try {
    programs = nativePrograms(options.build);
  } catch (error) {
    console.log(`Products are left out: ${error.message}`);
    return undefined;
  }
  const { ceiling } = await measuredCeilings(programs.ceilings, threads);
  const lines = await timedProducts(programs.gemm, [
    '--threads',
    String(threads),
    '--samples',
    '5',
    '--only',
    PRODUCTS,
  ]);
  report({
    title: `Products, ${threads} threads; multiply-adds in registers peak at ${ceiling.gflops} GF/s`,
    unit: 'GF/s',
    score: 'times dnnl_sgemm',
    rows: lines.map((line) => productRow(line, ceiling.gflops)),
  });
  return ceiling;
}

async function layerOf(shape, ceiling) {
  const flops = new Map();
  const entrants = VARIANTS.map((variant) => ({
    name: variant,
    turn: async () => {
      const timing = await timeLayer({ variant, ...shape, threads, device: 'cpu', repeats: 1, warmups: 1 });
      flops.set(variant, timing.flops.training);
      return timing.training;
    },
  }));
  const rows = await takeTurns(entrants, ROUNDS);
  report({
    title: `Layer, forward and backward, (T, B, m, n) = (${shapeName(shape)})`,
    unit: 'ms',
    score: 'times faster than LSTM',
    rows: rows.map((row) => {
      const score = rows[0].median / row.median;
      const saving = (score * flops.get(row.name)) / flops.get('LSTM');
      const roofline = ceiling && layerRoofline(row.name, shape, ceiling, { inputGradient: false });
      return { ...row, score, saving, roofline };
    }),
  });
}

async function network() {
  const { batchSize, maxLength, numWords } = kentSalem;
  const x = textLikeTokens(NETWORK_BATCHES * batchSize, maxLength, numWords, 1);
  const y = { data: Int32Array.from({ length: x.shape[0] }, (_, row) => row % 20), shape: [x.shape[0]] };
  const entrants = ['LSTM', 'LSTM3'].map((variant) => {
    const model = sequential(kentSalemLayers({ words: numWords, classes: 20, variant }), {
      ...{ inputShape: [maxLength], device: 'cpu', threads, seed: 1 },
    });
    model.compile({ optimizer: optimizers.rmsprop(), loss: 'sparseCategoricalCrossentropy' });
    const turn = async () => {
      const speeds = [];
      const onProgress = ({ samples, seconds }) => speeds.push(samples / seconds);
      await model.fit(x, y, { batchSize, epochs: 1, verbose: 0, callbacks: [{ onProgress }] });
      return speeds.slice(-1);
    };
    return { name: variant, turn };
  });
  await entrants[0].turn();
  await entrants[1].turn();
  const rows = await takeTurns(entrants, ROUNDS);
  report({
    title: 'Network of Kent & Salem with a table that is learnt, random tokens like 20 Newsgroups',
    unit: 'posts/s',
    score: 'times LSTM',
    rows: rows.map((row) => ({ ...row, score: row.median / rows[0].median })),
  });
}

const ceiling = await products();
for (const shape of shapes) await layerOf(shape, ceiling);
await network();
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
