/** `slim-lstm bench`: what every variant saves on this machine, in parameters, operations and time. */

import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { Command } from 'commander';
import { checkedDevice, precisionOn } from '../devices.js';
import { InvalidArgumentError } from '../errors.js';
import { kentSalem } from '../experiments/kent-salem.js';
import { cannotWrite } from '../file-access.js';
import { randomSeed } from '../model/seed.js';
import type { Precision } from '../precision.js';
import { speedChart } from '../report/speed-chart.js';
import { layerSpeedLines, networkSpeedLines, speedLegend, unsteadyWarning } from '../report/speed-table.js';
import { type ComparedVariant, comparedVariants } from '../timing/comparison.js';
import { timeLayers } from '../timing/time-layer.js';
import { timeNetworks } from '../timing/time-network.js';
import type { Variant } from '../variants.js';
import { kentSalemNetworks, networkData } from './bench-network.js';
import {
  BASE,
  type BenchSize,
  checkWritable,
  filesReader,
  namesReader,
  sizesReader,
  sizeText,
  usualSizes,
  wantedVariants,
} from './bench-options.js';
import { Interruption, withInterruption } from './interruption.js';
import { TurnProgress } from './turn-progress.js';
import { fraction, naturalNumber, positiveInteger, precisionOption } from './values.js';
import { packageVersion } from './version.js';

interface BenchOptions {
  variants?: string[];
  variantFile?: string[];
  sizes?: BenchSize[];
  device: string;
  threads?: number;
  precision: Precision;
  repeats: number;
  warmups: number;
  inputGradient?: boolean;
  returnSequences?: boolean;
  bidirectional?: boolean;
  dropout?: number;
  recurrentDropout?: number;
  model?: boolean;
  data?: string;
  batchSize?: number;
  seed?: number;
  json?: boolean;
  svg?: string;
}

/** One comparison: a layer at one size, or the network. */
interface Result {
  readonly title: string;
  /** What is not as usual, or what it was trained on. */
  readonly remark: string;
  /** What it was, for machines. */
  readonly subject: object;
  readonly device: string;
  readonly variants: readonly ComparedVariant[];
}

export function benchCommand(): Command {
  return new Command('bench')
    .description(
      'Time every variant beside LSTM on this machine: a layer forward, and forward + backward, or with --model a ' +
        'training step of the network of Kent & Salem 2019.',
    )
    .option('--variants <names>', 'between commas; LSTM is timed in any case (default: all)', namesReader)
    .option('--variant-file <file>', 'a variant of your own as JSON; may be repeated', filesReader)
    .option('--sizes <T,B,m,n>', `steps, batch, input size, units; may be repeated (default: ${usual()})`, sizesReader)
    .option('--device <name>', 'cpu, cuda, cuda:1 or auto', 'auto')
    .option('--threads <count>', 'of the CPU; by default one a core', positiveInteger)
    .addOption(precisionOption())
    .option('--repeats <count>', 'turns of each variant that count', positiveInteger, 9)
    .option('--warmups <count>', 'turns before those', naturalNumber, 1)
    .option('--input-gradient', 'the backward pass gives the gradient of the input too')
    .option('--return-sequences', 'all states leave the layer, not the last alone')
    .option('--bidirectional', 'two directions')
    .option('--dropout <rate>', "of the LSTM's input in training (default: 0; with --model 0.2)", fraction)
    .option('--recurrent-dropout <rate>', "of the LSTM's recurrent operand (default: 0; with --model 0.3)", fraction)
    .option('--model', "a training step of the paper's whole network instead of the layer")
    .option('--data <path>', 'with --model: documents to train on; by default tokens drawn to be like 20 Newsgroups')
    .option('--batch-size <count>', `with --model: documents a step (default: ${kentSalem.batchSize})`, positiveInteger)
    .option('--seed <number>', 'of weights and random data; by default a random one', naturalNumber)
    .option('--json', 'one JSON object, with every single time')
    .option('--svg <file>', "a picture: bars of time beside bars of FLOPs, both as parts of LSTM's")
    .addHelpText('after', `\n${speedLegend.join('\n')}`)
    .action((options: BenchOptions) => withInterruption((signal) => bench(options, signal)));
}

function usual(): string {
  return usualSizes.map(({ steps, batch, inputSize, units }) => [steps, batch, inputSize, units].join(',')).join(' ');
}

async function bench(options: BenchOptions, signal: AbortSignal): Promise<void> {
  checkTogether(options);
  checkedDevice(options.device);
  if (options.svg !== undefined) await checkWritable(options.svg);
  const variants = await wantedVariants(options.variants, options.variantFile ?? []);
  const results: Result[] = [];
  const say = (line: string) => {
    if (!options.json) console.log(line);
  };
  let interrupted = false;
  try {
    const measured = options.model
      ? networkResults(options, variants, signal)
      : layerResults(options, variants, signal);
    for await (const result of measured) {
      if (results.length === 0) say([machineLine(result.device), ...speedLegend].join('\n'));
      results.push(result);
      const lines = options.model ? networkSpeedLines : layerSpeedLines;
      say(['', ...lines([result.title, result.remark].filter(Boolean).join(', '), result.variants)].join('\n'));
    }
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    interrupted = true;
    process.exitCode = 1;
  }
  if (options.json) console.log(JSON.stringify(record(options, results, interrupted)));
  if (options.svg !== undefined && results.length > 0) {
    await writePicture(options.svg, picture(options, results));
    say(`\nThe picture is in ${options.svg}`);
  }
  const warning = unsteadyWarning(results.flatMap((result) => result.variants));
  if (warning !== null) say(`\n${warning}`);
  if (interrupted) say(`\nInterrupted; ${results.length === 0 ? 'nothing was' : 'what stands above is'} complete`);
}

/** @throws InvalidArgumentError for options that do not go together. */
function checkTogether(options: BenchOptions): void {
  const ofLayer = ['sizes', 'inputGradient', 'returnSequences', 'bidirectional'] as const;
  const ofModel = ['data', 'batchSize'] as const;
  const misplaced = (options.model ? ofLayer : ofModel).find((name) => options[name] !== undefined);
  if (misplaced === undefined) return;
  const flag = `--${misplaced.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new InvalidArgumentError(`Expected ${flag} ${options.model ? 'without' : 'together with'} --model`);
}

async function* layerResults(
  options: BenchOptions,
  variants: readonly Variant[],
  signal: AbortSignal,
): AsyncGenerator<Result> {
  const { device, threads, precision, repeats, warmups, dropout = 0, recurrentDropout = 0 } = options;
  const { inputGradient = false, returnSequences = false, bidirectional = false } = options;
  const sizes = options.sizes ?? usualSizes;
  const progress = new TurnProgress(process.stderr);
  for (const size of sizes) {
    progress.begin(sizeText(size));
    const setting = { inputGradient, returnSequences, bidirectional, dropout, recurrentDropout };
    const timings = await timeLayers(
      variants,
      {
        ...{ ...size, ...setting, device, precision, repeats, warmups, signal },
        seed: options.seed ?? randomSeed(),
        ...(threads === undefined ? {} : { threads }),
      },
      (turns, of) => progress.done(turns, of),
    ).finally(() => progress.end());
    const timed = timings.map(({ variant, parameters, flops, forward, training }) => ({
      name: variant.name,
      parameters,
      forward: { flops: flops.forward, milliseconds: forward },
      training: { flops: flops.training, milliseconds: training },
    }));
    yield {
      title: sizeText(size),
      remark: settingWords(setting).join(', '),
      subject: { ...size, ...setting },
      device: timings[0]?.device ?? '',
      variants: comparedVariants(timed, BASE, size.batch),
    };
  }
}

/** What is not as usual. */
function settingWords(setting: Readonly<Record<string, boolean | number>>): string[] {
  const words: Readonly<Record<string, string>> = {
    inputGradient: 'with the gradient of the input',
    returnSequences: 'all states',
    bidirectional: 'two directions',
    dropout: `dropout ${setting.dropout}`,
    recurrentDropout: `recurrent dropout ${setting.recurrentDropout}`,
  };
  return Object.keys(words)
    .filter((name) => setting[name])
    .map((name) => words[name] as string);
}

async function* networkResults(
  options: BenchOptions,
  variants: readonly Variant[],
  signal: AbortSignal,
): AsyncGenerator<Result> {
  const { device, threads, precision, repeats, warmups, dropout = 0.2, recurrentDropout = 0.3 } = options;
  const seed = options.seed ?? randomSeed();
  const batchSize = options.batchSize ?? kentSalem.batchSize;
  const progress = new TurnProgress(process.stderr);
  const data = await networkData(options.data, batchSize, seed, signal);
  progress.begin('training');
  const timings = await timeNetworks(
    kentSalemNetworks(variants, data, { dropout, recurrentDropout }),
    {
      tokens: data.tokens,
      labels: data.labels,
      ...{ batchSize, device, threads, precision, repeats, warmups, seed, signal },
    },
    (turns, of) => progress.done(turns, of),
  ).finally(() => progress.end());
  const timed = timings.map(({ name, parameters, flops, milliseconds }) => ({
    name,
    parameters,
    training: { flops, milliseconds },
  }));
  yield {
    title: `Kent & Salem 2019, B ${batchSize}`,
    remark: data.description,
    subject: { network: 'kent-salem', batchSize, data: options.data ?? null, dropout, recurrentDropout },
    device: timings[0]?.device ?? '',
    variants: comparedVariants(timed, BASE, batchSize),
  };
}

function machine(): { processor: string; cores: number; node: string } {
  return { processor: cpus()[0]?.model.trim() ?? process.arch, cores: availableParallelism(), node: process.version };
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function machineLine(device: string): string {
  const { processor, node } = machine();
  return `slim-lstm ${packageVersion}, float32, ${device}, ${processor}, Node ${node}, ${today()}`;
}

function record(options: BenchOptions, results: readonly Result[], interrupted: boolean): object {
  const { repeats, warmups } = options;
  return {
    version: packageVersion,
    date: today(),
    machine: machine(),
    device: results[0]?.device ?? null,
    precision: precisionOn(checkedDevice(options.device), options.precision),
    repeats,
    warmups,
    legend: speedLegend.join(' '),
    interrupted,
    results: results.map(({ subject, variants }) => ({ ...subject, variants })),
  };
}

function picture(options: BenchOptions, results: readonly Result[]): string {
  const warning = unsteadyWarning(results.flatMap(({ variants }) => variants));
  return speedChart({
    title: options.model ? 'Training with slim LSTMs' : 'Slim LSTM layers, forward + backward',
    notes: [
      ...[results[0]?.remark ?? ''].filter(Boolean),
      machineLine(results[0]?.device ?? ''),
      `Medians of ${options.repeats} turns of each variant; shorter is better.`,
      ...(warning === null ? [] : [warning]),
    ],
    time: options.model ? 'Time of a training step' : 'Time of forward + backward',
    panels: results,
  });
}

async function writePicture(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (cause) {
    throw cannotWrite(file, cause);
  }
}
