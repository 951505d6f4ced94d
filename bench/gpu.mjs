/**
 * This package's CUDA device beside PyTorch with cuDNN, in one run on one GPU: `npm run bench:gpu`. What is compared, and
 * how to read the tables, stands in `bench/gpu/README.md`.
 *
 *     node bench/gpu.mjs [--only NAMES] [--precisions NAMES] [--rounds 15] [--seconds 1200] [--python PATH] [--out FOLDER]
 *     node bench/gpu.mjs --record FILE
 *
 * Writes `bench/results/<gpu>.json` and the tables of `bench/gpu/README.md`; with --out FOLDER `bench.json` and `bench.md`
 * there instead. --precisions names those of this package that are measured, by default all that the GPU has. --record
 * brings such a file from another machine into this repository.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { precisionOn } from '../dist/devices.js';
import { devices, variants } from '../dist/index.js';
import { precisions } from '../dist/precision.js';
import { textLikeTokens } from '../dist/timing/text-like-tokens.js';
import { main, outputOf, root, SetupError } from '../scripts/setup/command.mjs';
import { EPOCH, SHAPES } from './gpu/goals.mjs';
import { resultLines } from './gpu/lines.mjs';
import { gpuTables } from './gpu/tables.mjs';
import { machine } from './instrument/machine.mjs';
import { positiveInteger, programOptions } from './instrument/options.mjs';
import { replaceBetweenMarkers } from './instrument/tables.mjs';

const NAMES = Object.keys(variants);
const WARMUPS = 3;

/** Kernels that may serve variants with a product in each step, and those without; a number is the blocks of a team. */
const KERNELS = [
  { kernels: ['block', 'cluster', 'cluster:4', 'cluster:8', 'cluster:16'], variants: ['LSTM', 'LSTM1', 'LSTM3'] },
  { kernels: ['grid', 'grid:16', 'grid:32', 'grid:64', 'graph'], variants: ['LSTM', 'LSTM1', 'LSTM3'] },
  { kernels: ['scan', 'graph'], variants: ['LSTM10'] },
];

const NETWORK = { batch: 128, steps: 1000, words: 20_000, classes: 20 };

/** Sizes of the standard LSTM at which this package's and cuDNN's may differ in which is the faster. */
const IMPLEMENTATION_SHAPES = [64, 128, 256, 512, 1024].flatMap((units) =>
  [16, 64, 256].map((batch) => ({ units, inputSize: 128, batch, steps: 100 })),
);

const VOCABULARY = 20_000;
const LENGTHS_SHAPE = SHAPES[0];
const BATCHES = 3;

/** Seconds that a program may take, and the least for which it is begun. */
const LIMIT = 150;
const LEAST = 10;

const options = programOptions(import.meta.url, {
  only: { type: 'string', default: 'layer,network,lengths,kernels,implementations' },
  precisions: { type: 'string', default: precisions.join(',') },
  rounds: { type: 'string', default: '15' },
  seconds: { type: 'string', default: '1200' },
  python: { type: 'string', default: 'python3' },
  out: { type: 'string' },
  record: { type: 'string' },
});

/** Names between commas, each among those known. */
function names(option, known) {
  const named = options[option].split(',');
  const unknown = named.find((name) => !known.includes(name));
  if (unknown === undefined) return named;
  throw new SetupError(`Expected names of ${known.join(', ')} for --${option} but received ${unknown}`);
}

class Run {
  #deadline;
  #precisions;
  #save;
  problems = [];

  constructor(seconds, measured, save) {
    this.#deadline = Date.now() + seconds * 1000;
    this.#precisions = measured;
    this.#save = save;
  }

  /** Results of a program; what goes wrong is kept among the problems. */
  async lines(name, command, args, env = {}) {
    const seconds = Math.min(LIMIT, (this.#deadline - Date.now()) / 1000);
    if (seconds < LEAST) {
      this.problems.push(`${name}: no time was left`);
      return [];
    }
    const begun = Date.now();
    const { lines, problem } = await resultLines(command, args, { seconds, env });
    if (problem !== undefined) this.problems.push(`${name}: ${problem}`);
    process.stderr.write(`${name}: ${((Date.now() - begun) / 1000).toFixed(1)} s${problem ? `, ${problem}` : ''}\n`);
    return lines;
  }

  /** In each precision, by a process of its own. */
  async ours(name, task, env) {
    const lines = [];
    for (const precision of this.#precisions) {
      const described = JSON.stringify({ ...task, precision });
      lines.push(
        ...(await this.lines(`${name}, ${precision}`, process.execPath, ['bench/gpu/ours.mjs', described], env)),
      );
    }
    return lines;
  }

  async torch(name, task) {
    if (outputOf(options.python, ['-c', 'import torch; assert torch.cuda.is_available()']) === undefined) {
      this.problems.push(`${name}: ${options.python} has no torch that sees the GPU`);
      return [];
    }
    return this.lines(name, options.python, ['bench/gpu/torch_peer.py', JSON.stringify(task)]);
  }

  saved(results) {
    this.#save({ ...results, problems: this.problems });
  }
}

/** PyTorch before and after this package, so that a clock that drifts is seen; the faster time of the two is its own. */
async function layer(run, rounds) {
  const task = { task: 'layer', shapes: SHAPES, rounds, warmups: WARMUPS };
  const peer = () => run.torch('layers, PyTorch', { ...task, warmups: 10, precisions: ['tf32', 'fp32', 'fp16'] });
  const before = await peer();
  const ours = [];
  for (const shape of SHAPES) {
    ours.push(...(await run.ours(`layers, ${shape.units} units`, { ...task, shapes: [shape], variants: NAMES })));
  }
  return { ours, torch: [...before, ...(await peer())] };
}

async function network(run, rounds) {
  const variantsTimed = ['LSTM', 'LSTM3', 'LSTM6', 'LSTM10'];
  const ours = await run.ours('network', {
    task: 'network',
    rows: 8 * NETWORK.batch,
    variants: variantsTimed,
    rounds,
    warmups: 1,
  });
  const together = await run.ours('networks at once', {
    ...{ task: 'together', rows: 16 * NETWORK.batch, variant: 'LSTM3', counts: [1, 2, 4, 8], rounds: 4 },
  });
  const task = { task: 'network', ...NETWORK, rounds: 4 * rounds, warmups: 20, precisions: ['tf32', 'fp16'] };
  return { epoch: EPOCH, batch: NETWORK.batch, ours, together, torch: await run.torch('network, PyTorch', task) };
}

async function lengths(run, rounds) {
  const shape = LENGTHS_SHAPE;
  const { data } = textLikeTokens(BATCHES * shape.batch, shape.steps, VOCABULARY, 1);
  const rows = Array.from({ length: BATCHES * shape.batch }, (_, row) => {
    const ids = data.subarray(row * shape.steps, (row + 1) * shape.steps);
    return ids.reduce((count, id) => count + (id === 0 ? 0 : 1), 0);
  });
  const task = { task: 'lengths', lengths: rows, vocabulary: VOCABULARY, rounds, warmups: WARMUPS };
  const ours = await run.ours('lengths', { ...task, shape, variants: ['LSTM', 'LSTM1', 'LSTM3', 'LSTM6', 'LSTM10'] });
  const torch = await run.torch('lengths, PyTorch', { ...task, shapes: [shape], precisions: ['tf32', 'fp16'] });
  return { trueTokens: rows.reduce((sum, length) => sum + length, 0) / data.length, ours, torch };
}

/** Each in a process of its own: the choice is made by an environment variable, and one that hangs costs no other. */
async function kernels(run, rounds) {
  const ours = [];
  for (const { kernels: names, variants: served } of KERNELS) {
    for (const kernel of names) {
      const task = { task: 'layer', shapes: SHAPES, variants: served, rounds: Math.ceil(rounds / 2), warmups: 1 };
      const lines = await run.ours(`kernel ${kernel}`, task, { SLIM_LSTM_KERNEL: kernel });
      ours.push(...lines.map((line) => ({ kernel, ...line })));
    }
  }
  return { ours };
}

/** A process for each width, so that one that fails costs no other. */
async function implementations(run, rounds) {
  const ours = [];
  for (const units of new Set(IMPLEMENTATION_SHAPES.map((shape) => shape.units))) {
    const shapes = IMPLEMENTATION_SHAPES.filter((shape) => shape.units === units);
    const task = { task: 'implementations', shapes, rounds, warmups: WARMUPS };
    ours.push(...(await run.ours(`implementations, ${units} units`, task)));
  }
  return { ours };
}

const SECTIONS = { layer, network, lengths, kernels, implementations };

function writers(name) {
  if (options.out !== undefined) {
    mkdirSync(options.out, { recursive: true });
    return {
      json: join(options.out, 'bench.json'),
      page: (text) => writeFileSync(join(options.out, 'bench.md'), `${text}\n`),
    };
  }
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return { json: join(root, 'bench', 'results', `${slug}.json`), page: recordPage };
}

function recordPage(text) {
  const page = join(root, 'bench', 'gpu', 'README.md');
  writeFileSync(page, replaceBetweenMarkers(readFileSync(page, 'utf8'), 'measured', text));
}

function record(file) {
  if (!existsSync(file)) throw new SetupError(`Expected a file of results for --record but there is no ${file}`);
  const results = JSON.parse(readFileSync(file, 'utf8'));
  const { json, page } = writers(results.gpu);
  writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
  page(gpuTables(results));
  console.log(json);
}

await main(async () => {
  if (options.record !== undefined) return record(options.record);
  const [rounds, seconds] = ['rounds', 'seconds'].map((name) => positiveInteger(options, name));
  const chosen = names('only', Object.keys(SECTIONS));
  const asked = names('precisions', precisions);
  const gpu = devices().find(({ name, usable }) => name.startsWith('cuda:') && usable);
  if (gpu === undefined) {
    throw new SetupError(`Expected a GPU: ${devices().find(({ name }) => name.startsWith('cuda'))?.reason}`);
  }
  const name = gpu.description.split(',')[0];
  const { json, page } = writers(name);
  const measured = [...new Set(asked.map((precision) => precisionOn(gpu.name, precision)))];
  const run = new Run(seconds, measured, (results) => writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`));
  const results = { gpu: name, machine: machine(), date: new Date().toISOString().slice(0, 10), sections: {} };
  for (const section of chosen) {
    results.sections[section] = await SECTIONS[section](run, rounds);
    run.saved(results);
    page(gpuTables({ ...results, problems: run.problems }));
  }
  console.log(gpuTables({ ...results, problems: run.problems }));
});
