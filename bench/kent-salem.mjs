/**
 * Posts per second of the Kent & Salem network in training, beside Keras on TensorFlow: the same posts, vectors, batch
 * size and layers, one after the other in turn, in one run on one machine. The first epoch of each run is left out (Keras
 * traces its graph in it).
 *
 *     node bench/kent-salem.mjs --data 20_newsgroup.tar.gz --vectors vectors.txt.gz --python venv/bin/python \
 *       [--variants LSTM,LSTM3] [--rounds 3] [--epochs 2] [--json results.json]
 *
 * `--python` is a Python that has keras and tensorflow; without it Keras is left out.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    vectors: { type: 'string' },
    python: { type: 'string' },
    variants: { type: 'string', default: 'LSTM,LSTM3' },
    rounds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
if (options.data === undefined || options.vectors === undefined) {
  console.error('Expected --data and --vectors');
  process.exit(2);
}

const scratch = await mkdtemp(join(tmpdir(), 'slim-lstm-bench-'));
const shared = ['--data', options.data, '--vectors', options.vectors, '--epochs', options.epochs];

/** Objects of the lines a process printed. */
const printed = ({ stdout }) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

async function ours(variant) {
  const out = join(scratch, 'run');
  const args = [here('../dist/cli/main.js'), 'train', ...shared, '--learning-rate', '1e-3'];
  const lines = printed(
    await run(process.execPath, [...args, '--variant', variant, '--out', out, '--overwrite', '--json']),
  );
  const result = lines.pop();
  return { rates: lines.slice(1).map((line) => line.samplesPerSecond), memory: result.peakMemoryMB };
}

async function keras() {
  const lines = printed(await run(options.python, [here('peers/keras_kent_salem.py'), ...shared]));
  const versions = lines.pop();
  return { rates: lines.slice(1).map((line) => line.postsPerSecond), memory: versions.peakMemoryMB, versions };
}

const contestants = new Map(
  options.variants.split(',').map((variant) => [`slim-lstm ${variant}`, () => ours(variant)]),
);
if (options.python !== undefined) contestants.set('Keras LSTM', keras);

const rates = new Map([...contestants.keys()].map((name) => [name, []]));
const memory = new Map();
let versions = {};
try {
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [name, contest] of contestants) {
      const result = await contest();
      rates.get(name).push(...result.rates);
      memory.set(name, Math.max(memory.get(name) ?? 0, result.memory));
      if (result.versions) versions = { keras: result.versions.keras, tensorflow: result.versions.tensorflow };
    }
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const peer = rates.get('Keras LSTM');
const results = [...rates].map(([name, values]) => ({
  name,
  postsPerSecond: median(values),
  slowest: Math.min(...values),
  fastest: Math.max(...values),
  timesKeras: peer === undefined ? null : median(values) / median(peer),
  peakMemoryMB: Math.round(memory.get(name)),
  runs: values.length,
}));
console.table(
  results.map(({ name, postsPerSecond, slowest, fastest, timesKeras, peakMemoryMB }) => ({
    network: name,
    'posts/s (median)': Math.round(postsPerSecond),
    spread: `${Math.round(slowest)} to ${Math.round(fastest)}`,
    'times Keras': timesKeras?.toFixed(2) ?? '',
    'peak MB': peakMemoryMB,
  })),
);
if (options.json !== undefined) {
  const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), node: process.version, ...versions };
  await writeFile(
    options.json,
    `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), machine, results }, null, 2)}\n`,
  );
}
