/** `slim-lstm doctor`: what of the package can run here, and why the rest cannot. */

import { availableParallelism, totalmem } from 'node:os';
import { Command } from 'commander';
import { devices } from '../devices.js';
import { SlimLstmError } from '../errors.js';
import { layers } from '../layers/index.js';
import { loadNative } from '../load-native.js';
import { sequential } from '../model/sequential.js';
import type { NativeAddon, NativeCuda } from '../native.js';

const LONGEST_LINE = 100;

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** A check that may fail without harm, such as a GPU's. */
  readonly optional?: boolean;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say what can run on this machine, and why the rest cannot.')
    .option('--json', 'one JSON object')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { addon, checks: addonChecks } = loadedAddon();
      const cuda = addon?.cuda();
      const checks = [...machine(), ...addonChecks];
      if (cuda !== undefined) checks.push(...deviceChecks(), ...cudaChecks(cuda), ...(await trainingChecks()));
      const ok = checks.every((check) => check.ok || check.optional);
      if (json) console.log(JSON.stringify({ ok, checks, cuda: cuda ?? null }));
      else for (const line of inWords(checks, ok)) console.log(line);
      if (!ok) process.exitCode = 1;
    });
}

function machine(): Check[] {
  const { glibcVersionRuntime: glibc } = (
    process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  ).header;
  const gigabytes = (totalmem() / 2 ** 30).toFixed(1);
  return [
    { name: 'node', ok: true, detail: `${process.version}, Node-API ${process.versions.napi}` },
    {
      name: 'system',
      ok: true,
      detail: `${process.platform} ${process.arch}${glibc === undefined ? '' : `, glibc ${glibc}`}`,
    },
    {
      name: 'machine',
      ok: true,
      detail: `${availableParallelism()} cores for this process, ${gigabytes} GiB of memory`,
    },
  ];
}

function loadedAddon(): { addon?: NativeAddon; checks: Check[] } {
  try {
    return { addon: loadNative(), checks: [] };
  } catch (error) {
    return { checks: [{ name: 'addon', ok: false, detail: messageOf(error) }] };
  }
}

function deviceChecks(): Check[] {
  return devices().map(({ name, usable, description, reason }) => ({
    name,
    ok: usable,
    detail: (usable ? description : reason) ?? '',
    optional: name !== 'cpu',
  }));
}

/** The chain behind a GPU, link by link: the library, the driver, NVIDIA's libraries. */
function cudaChecks(cuda: NativeCuda): Check[] {
  if (!cuda.opened) return [];
  const chain: Check[] = [
    {
      name: 'cuda library',
      ok: true,
      detail: `${cuda.path}, built with CUDA ${cuda.runtimeCuda} for ${cuda.architectures}`,
    },
    {
      name: 'driver',
      ok: cuda.driverCuda !== null,
      detail: driverInWords(cuda),
    },
    ...cuda.libraries.map(({ name, version, path, reason }) => ({
      name,
      ok: reason === null,
      detail: reason ?? `${version}, ${path}`,
    })),
  ];
  return chain.map((check) => ({ ...check, optional: true }));
}

function driverInWords({ driver, driverCuda }: NativeCuda): string {
  if (driverCuda === null) return driver === null ? 'none is loaded' : `${driver}, without its library libcuda.so.1`;
  return `${driver ?? 'of unknown version'}, serves CUDA ${driverCuda}`;
}

/** On the CPU, and on the GPU that `'auto'` takes. */
async function trainingChecks(): Promise<Check[]> {
  const [best] = devices();
  const checks = [await trainsSmallNetwork('cpu')];
  if (best !== undefined && best.name !== 'cpu') checks.push(await trainsSmallNetwork(best.name));
  return checks;
}

/** A network learns to tell two classes: the whole chain from TypeScript to the kernels and back. */
async function trainsSmallNetwork(device: string): Promise<Check> {
  const name = `training, ${device}`;
  try {
    using model = sequential(
      [layers.lstm({ units: 8, variant: 'LSTM3' }), layers.dense({ units: 2, activation: 'softmax' })],
      { inputShape: [4, 3], device, seed: 1 },
    );
    model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
    const labels = Int32Array.from({ length: 64 }, (_, i) => i % 2);
    const x = Float32Array.from(
      { length: 64 * 12 },
      (_, i) => (labels[Math.floor(i / 12)] === 0 ? 1 : -1) * ((i % 5) / 4),
    );
    const { history } = await model.fit({ data: x, shape: [64, 4, 3] }, labels, {
      epochs: 30,
      batchSize: 16,
      verbose: 0,
    });
    const [first, last] = [history.loss?.at(0) ?? Number.NaN, history.loss?.at(-1) ?? Number.NaN];
    const detail = `a small network's loss went from ${first.toFixed(3)} to ${last.toFixed(3)} in 30 epochs`;
    return { name, ok: last < first, detail };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  if (error instanceof SlimLstmError) return `${error.message} (${error.code})`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function inWords(checks: readonly Check[], ok: boolean): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map((check) => {
    const mark = check.ok ? 'ok ' : check.optional ? '-  ' : 'BAD';
    const detail = clauses(check.detail).join(`\n${' '.repeat(width + 6)}`);
    return `${mark} ${check.name.padEnd(width)}  ${detail}`;
  });
  if (!ok) return [...lines, 'Something that is needed does not work.'];
  const without = checks.some((check) => !check.ok) ? ' What is marked - can be done without.' : '';
  return [...lines, `Everything that is needed works.${without}`];
}

/** A line each where a detail is long: the reason, then what to do. */
function clauses(detail: string): string[] {
  return detail.split(detail.length > LONGEST_LINE ? /\n|(?<=;) / : '\n');
}
