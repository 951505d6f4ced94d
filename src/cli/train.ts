/** `slim-lstm train`: a recipe applied to data; a trained model and its curves come out. */

import { Command } from 'commander';
import { checkedDevice } from '../devices.js';
import { SlimLstmError } from '../errors.js';
import { FIRST_LEARNING_RATE, lossSchedule } from '../experiments/loss-schedule.js';
import { type Experiment, type Recipe, recurrentLayer, type Settings } from '../experiments/recipe.js';
import { recipeNamed } from '../experiments/recipes.js';
import type { Callback } from '../model/callbacks/callback.js';
import { HistoryCallback } from '../model/callbacks/history.js';
import { callbacks } from '../model/callbacks/index.js';
import { type Optimizer, optimizers } from '../model/optimizers.js';
import { type Model, sequential } from '../model/sequential.js';
import type { Precision } from '../precision.js';
import { Interruption, withInterruption } from './interruption.js';
import { modelIn, prepareRunFolder, type RunRecord, writeRunFile } from './run-folder.js';
import { addSettings, settingsFor } from './settings.js';
import { addDataOptions, type DataOptions, sourceFor } from './text-data.js';
import { naturalNumber, positiveInteger, precisionOption } from './values.js';
import { variantOrName } from './variant-file.js';
import { packageVersion } from './version.js';

interface TrainOptions extends DataOptions {
  recipe: string;
  seed: number;
  device: string;
  threads?: number;
  precision: Precision;
  out: string;
  overwrite?: boolean;
  json?: boolean;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .usage('--data <path> --out <folder> [options]')
    .description('Train a published experiment on data: by default the network of Kent & Salem 2019 on documents.');
  return addSettings(addDataOptions(command.optionsGroup('Data:')))
    .optionsGroup('Run:')
    .option('--seed <number>', 'decides split, weights, order and dropout', naturalNumber, 0)
    .option('--device <name>', 'cpu, cuda, cuda:1 or auto', 'auto')
    .option('--threads <count>', 'of the CPU; by default one a core', positiveInteger)
    .addOption(precisionOption())
    .requiredOption('--out <folder>', 'where the model and its curves go')
    .option('--overwrite', 'the folder may hold files of an earlier run')
    .option('--json', 'one JSON object a line: an epoch each, then the result')
    .action((_options: TrainOptions, command: Command) => withInterruption((signal) => train(command, signal)));
}

async function train(command: Command, signal: AbortSignal): Promise<void> {
  const options = command.opts<TrainOptions>();
  const say = (line: string) => {
    if (!options.json) console.log(line);
  };
  // What can be refused at once is refused before anything is read or written; --recipe takes known names alone.
  const recipe = recipeNamed(options.recipe) as Recipe;
  const given = settingsFor(recipe, command.opts());
  const settings = { ...given, variant: await variantOrName(given.variant) };
  const { variant } = recurrentLayer(settings);
  checkedDevice(options.device);
  const source = sourceFor(recipe, command, signal);
  await prepareRunFolder(options.out, options.overwrite ?? false);

  const experiment = await recipe.prepare(source, settings, { seed: options.seed, signal, say });
  using model = buildModel(experiment, settings, options);
  say(`${model.device}; ${variant.name}, ${settings.activation}, ${learningRateInWords(settings)}`);
  const { training, validation, samples, classNames, pixels } = experiment;
  const record: RunRecord = {
    version: packageVersion,
    recipe: recipe.name,
    options: { ...options, ...settings },
    device: model.device,
    samples,
    seed: options.seed,
    classNames,
  };
  await writeRunFile(options.out, 'run.json', record);
  if (pixels !== undefined) await writeRunFile(options.out, 'pixels.json', pixels);

  const history = new HistoryCallback();
  try {
    await model.fit(training.x, training.y, {
      epochs: settings.epochs,
      batchSize: Math.min(settings.batchSize, training.x.shape[0] as number),
      ...(validation === null ? {} : { validationData: [validation.x, validation.y] }),
      callbacks: [
        endOfDivergence(options.out),
        ...scheduled(settings),
        history,
        ...(options.json ? [epochLines(history)] : [callbacks.progressLine()]),
        savedEveryEpoch(options.out, history),
      ],
      verbose: 0,
      signal,
    });
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    await model.save(modelIn(options.out));
    throw new Interruption(
      `Interrupted in epoch ${history.epoch.length + 1}; the model as it was then is in ${modelIn(options.out)}`,
    );
  }
  report(recipe, options, history, validation !== null);
}

function buildModel({ layers, inputShape, loss, text }: Experiment, settings: Settings, options: TrainOptions): Model {
  const model = sequential(layers, {
    inputShape,
    device: options.device,
    seed: options.seed,
    precision: options.precision,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  model.compile({ optimizer: optimizerOf(settings), loss, metrics: ['accuracy'] });
  if (text !== undefined) model.text = text;
  return model;
}

function optimizerOf({ optimizer, learningRate, epsilon }: Settings): Optimizer {
  return optimizer === 'sgd' ? optimizers.sgd({ learningRate }) : optimizers[optimizer]({ learningRate, epsilon });
}

/** What changes the learning rate, or ends the run early. */
function scheduled({ learningRateSchedule, learningRate, patience }: Settings): Callback[] {
  return [
    ...(learningRateSchedule === 'loss' ? [lossSchedule(learningRate)] : []),
    ...(patience === undefined ? [] : [callbacks.earlyStopping({ patience })]),
  ];
}

function learningRateInWords({ learningRateSchedule, learningRate }: Settings): string {
  if (learningRateSchedule === 'constant') return `learning rate ${learningRate}`;
  return `learning rate ${FIRST_LEARNING_RATE}, from epoch 2 on ${learningRate} exp(loss)`;
}

/** Weights that have outgrown float32 do not come back; the files stay as the epoch before left them. */
function endOfDivergence(folder: string): Callback {
  return {
    onEpochEnd(epoch, { loss = Number.NaN }) {
      if (Number.isFinite(loss)) return;
      const left = epoch === 0 ? '' : `; the model of epoch ${epoch} is in ${modelIn(folder)}`;
      throw new SlimLstmError(
        'ERR_DIVERGED',
        `The loss is ${loss} after epoch ${epoch + 1}: try a smaller --learning-rate${left}`,
      );
    },
  };
}

/** The newest curves and model are always on the disk: what ends a run early costs one epoch at the most. */
function savedEveryEpoch(folder: string, history: HistoryCallback): Callback {
  return {
    async onEpochEnd(_epoch, _logs, { model }) {
      await model.save(modelIn(folder));
      await writeRunFile(folder, 'history.json', curves(history));
    },
  };
}

function curves({ epoch, history, samplesPerSecond }: HistoryCallback): object {
  return { epoch, history, samplesPerSecond };
}

function epochLines(history: HistoryCallback): Callback {
  return {
    onEpochEnd(epoch, logs) {
      console.log(JSON.stringify({ epoch: epoch + 1, ...logs, samplesPerSecond: history.samplesPerSecond.at(-1) }));
    },
  };
}

function report({ input }: Recipe, options: TrainOptions, history: HistoryCallback, validated: boolean): void {
  const accuracies = history.history[validated ? 'val_accuracy' : 'accuracy'] ?? [];
  const best = Math.max(...accuracies);
  const result = {
    accuracy: accuracies.at(-1) ?? Number.NaN,
    bestAccuracy: best,
    bestEpoch: accuracies.indexOf(best) + 1,
    samplesPerSecond: median(history.samplesPerSecond),
    peakMemoryMB: process.resourceUsage().maxRSS / 1024,
    model: modelIn(options.out),
  };
  if (options.json) {
    console.log(JSON.stringify(result));
    return;
  }
  const percent = (value: number) => `${(100 * value).toFixed(2)} %`;
  console.log(
    `${validated ? 'Validation' : 'Training'} accuracy ${percent(result.accuracy)}, ` +
      `best ${percent(best)} in epoch ${result.bestEpoch}; median ${Math.round(result.samplesPerSecond)} ${input === 'images' ? 'images' : 'documents'}/s; ` +
      `peak memory ${Math.round(result.peakMemoryMB)} MB`,
  );
  const sample = input === 'images' ? '--images <idx file>' : '"some text"';
  console.log(`Saved in ${options.out}; try: slim-lstm predict ${options.out} ${sample}`);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
