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

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { main, root, SetupError } from '../scripts/setup/command.mjs';
import { checkEquality } from './comparisons/equality.mjs';
import * as gemm from './comparisons/gemm.mjs';
import * as handwritten from './comparisons/handwritten.mjs';
import * as imdb from './comparisons/imdb.mjs';
import * as layer from './comparisons/layer.mjs';
import * as memory from './comparisons/memory.mjs';
import * as network from './comparisons/network.mjs';
import * as regularisation from './comparisons/regularisation.mjs';
import { measuredCeilings } from './instrument/ceilings.mjs';
import { Contestant } from './instrument/contestant.mjs';
import { busyShare, machine, machineSlug } from './instrument/machine.mjs';
import { positiveInteger, programOptions } from './instrument/options.mjs';
import { Pace } from './instrument/pace.mjs';
import { nativePrograms } from './instrument/programs.mjs';
import { peersPython } from './instrument/python.mjs';
import { dataFolder } from './instrument/real-data.mjs';
import { groupTable, replaceBetweenMarkers, resultsTables } from './instrument/tables.mjs';

const COMPARISONS = { layer, handwritten, network, imdb, gemm, regularisation, memory };

/** Of these PyTorch keeps the memory that it frees; else the kernel hands it out anew, page by page, in every step. */
const KEEPING_MEMORY = { MALLOC_MMAP_THRESHOLD_: '4294967296', MALLOC_TRIM_THRESHOLD_: '4294967296' };

/** Contestants are stopped while this is measured, so it is others' work; above it no results are recorded. */
const MOST_USED_BY_OTHERS = 0.1;

const options = programOptions(import.meta.url, {
  only: { type: 'string', default: Object.keys(COMPARISONS).join() },
  rounds: { type: 'string', default: '9' },
  samples: { type: 'string', default: '2' },
  threads: { type: 'string', default: String(availableParallelism()) },
  python: { type: 'string' },
  data: { type: 'string' },
  build: { type: 'string' },
  out: { type: 'string' },
});
const [rounds, samples, threads] = ['rounds', 'samples', 'threads'].map((name) => positiveInteger(options, name));
const chosen = options.only.split(',');
for (const name of chosen) {
  if (name in COMPARISONS) continue;
  console.error(`Expected names of ${Object.keys(COMPARISONS).join(', ')} for --only but received ${name}`);
  process.exit(2);
}

/** Functions that begin a contestant each. */
function starters(python) {
  const peer = (file) => [python, join(root, 'bench', 'peers', file), String(threads)];
  const ours = [process.execPath, join(root, 'bench', 'contestants', 'ours.mjs'), String(threads)];
  return {
    ours: () => new Contestant('slim-lstm', ours),
    torch: (env = KEEPING_MEMORY) => new Contestant('PyTorch', peer('torch_peer.py'), env),
    keras: () => new Contestant('Keras', peer('keras_peer.py')),
  };
}

function showProgress(done, of) {
  if (process.stderr.isTTY) process.stderr.write(done === of ? '\r\u001b[K' : `\r${done} of ${of} turns \u001b[K`);
}

/** Measures what was chosen. A comparison that fails is named and left out. */
async function measureSections(context) {
  const { pace } = context;
  const sections = {};
  for (const name of chosen) {
    const { title, needs, measure } = COMPARISONS[name];
    if (needs !== undefined && needs(context) === undefined) {
      console.log(`\n${title}: left out, its data is not in ${context.data}`);
      continue;
    }
    const before = await busyShare();
    const begun = Date.now();
    try {
      const { ceilings, ceiling } = await measuredCeilings(context.programs.ceilings, threads);
      pace.begin(ceiling);
      const result = await measure({ ...context, ceilings, ceiling });
      const seconds = Math.round((Date.now() - begun) / 1000);
      const usedByOthers = Math.max(before, await busyShare());
      const date = new Date(begun).toISOString().slice(0, 10);
      const turns = { repeated: pace.repeated, slow: pace.slow };
      sections[name] = { title, date, rounds, threads, usedByOthers, turns, seconds, ceiling, ...result };
      const told = `${Math.round(100 * usedByOthers)} % of the machine; turns taken again ${pace.repeated}, slow ${pace.slow}`;
      console.log(`\n${title} (${seconds} s; others used ${told})`);
      for (const group of result.groups) console.log(`\n${group.title}\n\n${groupTable(group)}`);
    } catch (error) {
      console.log(`\n${title} failed: ${error.message}`);
      process.exitCode = 1;
    }
  }
  return sections;
}

/** Sections of an earlier run stay where this one has none of their name. */
function record(path, { sections, ...run }) {
  const before = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).sections : {};
  const inOrder = Object.keys(COMPARISONS).map((name) => [name, sections[name] ?? before[name]]);
  const results = { ...run, sections: Object.fromEntries(inOrder.filter(([, section]) => section !== undefined)) };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`\nWritten to ${path}`);
  return results;
}

async function compare() {
  const programs = nativePrograms(options.build);
  const start = starters(peersPython(options.python));
  const scratch = mkdtempSync(join(tmpdir(), 'slim-lstm-bench-'));
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

  const contestants = { ours: start.ours(), torch: start.torch(), keras: start.keras() };
  const versions = {};
  for (const contestant of Object.values(contestants)) Object.assign(versions, await contestant.call('describe'));
  const { target } = await measuredCeilings(programs.ceilings, threads);

  const context = {
    ...{ ...contestants, start, programs, scratch, rounds, samples, threads },
    data: dataFolder(options.data),
    pace: Pace.of(programs.ceilings, threads),
    progress: showProgress,
  };
  const equality = await checkEquality(context);
  console.log('Loss and gradients of one batch, largest relative differences from ours:');
  console.table(equality);
  const sections = await measureSections(context);

  const here = { ...machine(), target };
  const run = { machine: here, versions, command: 'npm run bench:peers', equality, sections };
  if (options.out !== undefined) {
    record(options.out, run);
    return;
  }
  const busiest = Math.max(...Object.values(sections).map(({ usedByOthers }) => usedByOthers));
  if (busiest > MOST_USED_BY_OTHERS) {
    throw new SetupError(
      `Nothing was written: others used up to ${Math.round(100 * busiest)} % of the machine, which distorts the ratios ` +
        '(threads of OpenMP wait for one another). Run it again on an idle machine, or name a file with --out.',
    );
  }
  const results = record(join(root, 'bench', 'results', `${machineSlug(here)}.json`), run);
  const readme = join(root, 'bench', 'README.md');
  writeFileSync(readme, replaceBetweenMarkers(readFileSync(readme, 'utf8'), 'measured', resultsTables(results)));
}

await main(compare);
// Contestants would keep the process alive.
process.exit();
