/**
 * All comparisons with peers, in one run on one machine: `npm run bench:peers`. What the contests are, and how to read
 * the tables, stands in `bench/README.md`.
 *
 *     node bench/peers.mjs [--only layer,imdb,...] [--rounds 9] [--samples 2] [--threads N] [--python PATH]
 *                          [--data FOLDER] [--build FOLDER] [--out FILE]
 *
 * Writes `bench/results/<machine>.json` and the tables of `bench/README.md`; with --only the sections measured replace
 * those of before, each of which carries its date. On a machine that others use meanwhile it writes nothing. With --out
 * it writes that file alone, whatever the machine does.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { root } from '../scripts/setup/command.mjs';
import { checkEquality } from './comparisons/equality.mjs';
import * as gemm from './comparisons/gemm.mjs';
import * as handwritten from './comparisons/handwritten.mjs';
import * as imdb from './comparisons/imdb.mjs';
import * as layer from './comparisons/layer.mjs';
import * as memory from './comparisons/memory.mjs';
import * as network from './comparisons/network.mjs';
import * as regularisation from './comparisons/regularisation.mjs';
import { Contestant } from './instrument/contestant.mjs';
import { busyShare, machine, machineSlug } from './instrument/machine.mjs';
import { nativePrograms } from './instrument/programs.mjs';
import { peersPython } from './instrument/python.mjs';
import { dataFolder } from './instrument/real-data.mjs';
import { groupTable, replaceBetweenMarkers, resultsTables } from './instrument/tables.mjs';

const COMPARISONS = { layer, handwritten, network, imdb, gemm, regularisation, memory };

/** Of these PyTorch keeps the memory that it frees; else the kernel hands it out anew, page by page, in every step. */
const KEEPING_MEMORY = { MALLOC_MMAP_THRESHOLD_: '4294967296', MALLOC_TRIM_THRESHOLD_: '4294967296' };

/** Contestants are stopped while this is measured, so it is others' work; above it no results are recorded. */
const MOST_USED_BY_OTHERS = 0.1;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(COMPARISONS).join() },
    rounds: { type: 'string', default: '9' },
    samples: { type: 'string', default: '2' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string' },
    data: { type: 'string' },
    build: { type: 'string' },
    out: { type: 'string' },
  },
});

function positiveInteger(name) {
  const value = Number(options[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`Expected a positive integer for --${name} but received ${options[name]}`);
  process.exit(2);
}

const [rounds, samples, threads] = ['rounds', 'samples', 'threads'].map(positiveInteger);
const chosen = options.only.split(',');
for (const name of chosen) {
  if (name in COMPARISONS) continue;
  console.error(`Expected names of ${Object.keys(COMPARISONS).join(', ')} for --only but received ${name}`);
  process.exit(2);
}

const peersFolder = join(root, 'bench', 'peers');
const python = peersPython(options.python);
const programs = nativePrograms(options.build);
const start = {
  ours: () =>
    new Contestant('slim-lstm', [process.execPath, join(root, 'bench/contestants/ours.mjs'), String(threads)]),
  torch: (env = KEEPING_MEMORY) =>
    new Contestant('PyTorch', [python, join(peersFolder, 'torch_peer.py'), String(threads)], env),
  keras: () => new Contestant('Keras', [python, join(peersFolder, 'keras_peer.py'), String(threads)]),
};

async function measuredCeilings() {
  const counts = threads === 1 ? '1' : `1,${threads}`;
  const { stdout } = await promisify(execFile)(programs.ceilings, ['--threads', counts]);
  return JSON.parse(stdout);
}

const scratch = mkdtempSync(join(tmpdir(), 'slim-lstm-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const [ours, torch, keras] = [start.ours(), start.torch(), start.keras()];
const versions = {};
for (const contestant of [ours, torch, keras]) Object.assign(versions, await contestant.call('describe'));
delete versions.threads;
delete versions.capability;

const { target, ceilings } = await measuredCeilings();
console.log(`${target}: ${JSON.stringify(ceilings)}`);

const context = {
  ...{ ours, torch, keras, start, programs, scratch, rounds, samples, threads, ceilings },
  ceiling: ceilings.at(-1),
  data: dataFolder(options.data),
  progress: (done, of) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of} turns \u001b[K`);
    if (process.stderr.isTTY && done === of) process.stderr.write('\r\u001b[K');
  },
};

const equality = await checkEquality(context);
console.log('Loss and gradients of one batch, largest relative differences from ours:');
console.table(equality);

const sections = {};
for (const name of chosen) {
  const { title, needs, measure } = COMPARISONS[name];
  if (needs !== undefined && needs(context) === undefined) {
    console.log(`\n${title}: left out, its data is not in ${context.data}`);
    continue;
  }
  const usedByOthers = await busyShare();
  const begun = Date.now();
  const result = await measure(context);
  const seconds = Math.round((Date.now() - begun) / 1000);
  const date = new Date(begun).toISOString().slice(0, 10);
  sections[name] = { title, date, rounds, threads, usedByOthers, seconds, ceiling: context.ceiling, ...result };
  console.log(`\n${title} (${seconds} s; before, others used ${Math.round(100 * usedByOthers)} % of the machine)`);
  for (const group of result.groups) console.log(`\n${group.title}\n\n${groupTable(group)}`);
}
for (const contestant of [ours, torch, keras]) contestant.end();

const busiest = Math.max(...Object.values(sections).map(({ usedByOthers }) => usedByOthers));
if (options.out === undefined && busiest > MOST_USED_BY_OTHERS) {
  console.log(
    `\nNothing was written: others used up to ${Math.round(100 * busiest)} % of the machine, which distorts the ratios ` +
      '(threads of OpenMP wait for one another). Run it again on an idle machine, or name a file with --out.',
  );
  process.exit(1);
}

const here = machine();
const standard = join(root, 'bench', 'results', `${machineSlug(here)}.json`);
const path = options.out ?? standard;
const before = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { sections: {} };
const inOrder = Object.keys(COMPARISONS).map((name) => [name, sections[name] ?? before.sections[name]]);
const results = {
  machine: { ...here, target },
  versions,
  command: 'npm run bench:peers',
  equality,
  sections: Object.fromEntries(inOrder.filter(([, section]) => section !== undefined)),
};
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
console.log(`\nWritten to ${path}`);
if (options.out === undefined) {
  const readme = join(root, 'bench', 'README.md');
  writeFileSync(readme, replaceBetweenMarkers(readFileSync(readme, 'utf8'), 'measured', resultsTables(results)));
}
process.exit(0);
