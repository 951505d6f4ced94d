/** `slim-lstm train`: documents in, a trained model and its curves out. */

import { Command, Option } from 'commander';
import { checkedDevice } from '../devices.js';
import { InvalidDataError } from '../errors.js';
import { kentSalem, kentSalemLayers } from '../experiments/kent-salem.js';
import type { Callback } from '../model/callbacks/callback.js';
import { HistoryCallback } from '../model/callbacks/history.js';
import { callbacks } from '../model/callbacks/index.js';
import { optimizers } from '../model/optimizers.js';
import { type Model, sequential } from '../model/sequential.js';
import { takeRows } from '../tensor.js';
import {
  type LabelledTexts,
  padSequencesAsync,
  type Tokenizer,
  tokenizer,
  trainValidationSplit,
  wordVectors,
} from '../text/index.js';
import { resolveVariant, variants } from '../variants.js';
import { Interruption, withInterruption } from './interruption.js';
import { modelIn, prepareRunFolder, writeRunFile } from './run-folder.js';
import { addDataOptions, type DataOptions, readData } from './text-data.js';
import { fraction, naturalNumber, positiveInteger, positiveNumber } from './values.js';
import { packageVersion } from './version.js';

interface TrainOptions extends DataOptions {
  vectors?: string;
  variant: string;
  activation: 'tanh' | 'linear' | 'sigmoid' | 'relu' | 'softmax';
  recurrentActivation: 'sigmoid' | 'hard-sigmoid';
  learningRate: number;
  optimizer: 'sgd' | 'rmsprop' | 'adam' | 'adamw';
  epochs: number;
  batchSize: number;
  units: number;
  filters: number;
  convolutionDropout: number;
  dropout: number;
  recurrentDropout: number;
  maxLength: number;
  numWords: number;
  validationSplit: number;
  seed: number;
  device: string;
  threads?: number;
  out: string;
  overwrite?: boolean;
  json?: boolean;
}

export function trainCommand(): Command {
  const command = new Command('train').description(
    'Train the network of Kent & Salem 2019 on documents: three convolutions and a bidirectional slim LSTM.',
  );
  return addDataOptions(command)
    .option('--vectors <file>', "word vectors as GloVe's text (.gz too), kept frozen; without them they are learnt")
    .option('--variant <name>', `the LSTM: ${Object.keys(variants).join(', ')}`, 'LSTM3')
    .addOption(
      new Option('--activation <name>', "the LSTM's")
        .choices(['tanh', 'linear', 'sigmoid', 'relu', 'softmax'])
        .default('tanh'),
    )
    .addOption(
      new Option('--recurrent-activation <name>', "the LSTM's gates'")
        .choices(['sigmoid', 'hard-sigmoid'])
        .default('hard-sigmoid'),
    )
    .addOption(new Option('--optimizer <name>').choices(['sgd', 'rmsprop', 'adam', 'adamw']).default('rmsprop'))
    .option('--learning-rate <number>', 'the step size', positiveNumber, 2e-3)
    .option('--epochs <count>', 'how often to see all documents', positiveInteger, 8)
    .option('--batch-size <count>', 'documents a step', positiveInteger, kentSalem.batchSize)
    .option('--units <count>', 'of each direction of the LSTM', positiveInteger, 128)
    .option('--filters <count>', 'of each convolution', positiveInteger, 128)
    .option('--convolution-dropout <rate>', 'after each pool', fraction, 0.2)
    .option('--dropout <rate>', "of the LSTM's input", fraction, 0.2)
    .option('--recurrent-dropout <rate>', "of the LSTM's recurrent operand", fraction, 0.3)
    .option(
      '--max-length <tokens>',
      'the last so many tokens of a document are read',
      positiveInteger,
      kentSalem.maxLength,
    )
    .option('--num-words <count>', 'vocabulary, padding included', positiveInteger, kentSalem.numWords)
    .option('--validation-split <fraction>', 'held back, chosen by the seed', fraction, kentSalem.validationSplit)
    .option('--seed <number>', 'decides split, weights, order and dropout', naturalNumber, 0)
    .option('--device <name>', 'cpu, cuda, cuda:1 or auto', 'auto')
    .option('--threads <count>', 'of the CPU; by default one a core', positiveInteger)
    .requiredOption('--out <folder>', 'where the model and its curves go')
    .option('--overwrite', 'the folder may hold files of an earlier run')
    .option('--json', 'one JSON object a line: an epoch each, then the result')
    .action((options: TrainOptions) => withInterruption((signal) => train(options, signal)));
}

async function train(options: TrainOptions, signal: AbortSignal): Promise<void> {
  const say = (line: string) => {
    if (!options.json) console.log(line);
  };
  // What can be refused at once is refused before anything is read or written.
  resolveVariant(options.variant);
  checkedDevice(options.device);
  await prepareRunFolder(options.out, options.overwrite ?? false);
  const documents = await readData(options, signal);
  const words = tokenizer({ numWords: options.numWords });
  await words.fitOnTextsAsync(documents.texts, { signal });
  const split = splitOf(documents, options);
  say(
    `${documents.texts.length} documents of ${documents.classNames.length} classes, ` +
      `${words.wordIndex.size} distinct words; ${split.train.length} to train on, ${split.validation.length} to validate`,
  );

  using model = await buildModel(options, documents, words, say);
  say(`${model.device}; ${options.variant}, ${options.activation}, learning rate ${options.learningRate}`);
  const x = await padSequencesAsync(await words.textsToSequencesAsync(documents.texts, { signal }), {
    maxLength: options.maxLength,
    signal,
  });
  const labels = { data: documents.labels, shape: [documents.labels.length] };
  await writeRunFile(options.out, 'run.json', {
    version: packageVersion,
    options,
    device: model.device,
    documents: documents.texts.length,
    seed: options.seed,
    validationSplit: options.validationSplit,
    classNames: documents.classNames,
  });

  const history = new HistoryCallback();
  const validated = split.validation.length > 0;
  try {
    await model.fit(takeRows(x, split.train), takeRows(labels, split.train), {
      epochs: options.epochs,
      batchSize: Math.min(options.batchSize, split.train.length),
      ...(validated ? { validationData: [takeRows(x, split.validation), takeRows(labels, split.validation)] } : {}),
      callbacks: [
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
    say(`\nInterrupted after ${history.epoch.length} epochs; the model as it was then is in ${modelIn(options.out)}`);
    process.exitCode = 1;
    return;
  }
  report(options, history, validated);
}

function splitOf(documents: LabelledTexts, { validationSplit, seed }: TrainOptions) {
  const split = trainValidationSplit(documents.texts.length, { validationFraction: validationSplit, seed });
  if (split.train.length === 0) throw new InvalidDataError('There are no documents left to train on');
  if (documents.classNames.length < 2) {
    throw new InvalidDataError(`Expected documents of 2 classes or more but received only ${documents.classNames[0]}`);
  }
  return split;
}

async function buildModel(
  options: TrainOptions,
  documents: LabelledTexts,
  words: Tokenizer,
  say: (line: string) => void,
): Promise<Model> {
  const rows = Math.min(options.numWords, words.wordIndex.size + 1);
  const classes = documents.classNames.length;
  const network = {
    words: rows,
    classes,
    variant: options.variant,
    activation: options.activation,
    recurrentActivation: options.recurrentActivation === 'sigmoid' ? 'sigmoid' : 'hardSigmoid',
    units: options.units,
    filters: options.filters,
    convolutionDropout: options.convolutionDropout,
    dropout: options.dropout,
    recurrentDropout: options.recurrentDropout,
  } as const;
  let layers: ReturnType<typeof kentSalemLayers>;
  if (options.vectors === undefined) {
    layers = kentSalemLayers(network);
  } else {
    const vectors = await wordVectors(options.vectors, { words: words.wordIndex });
    const { words: wanted, covered } = vectors.coverage(words.wordIndex, rows);
    say(`word vectors of width ${vectors.dimension} for ${covered} of the ${wanted} commonest words`);
    layers = kentSalemLayers({ ...network, vectors: vectors.matrix(words.wordIndex, rows) });
  }
  const model = sequential(layers, {
    inputShape: [options.maxLength],
    device: options.device,
    seed: options.seed,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  model.compile({
    optimizer: optimizers[options.optimizer]({ learningRate: options.learningRate }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  model.text = { tokenizer: words, classNames: documents.classNames };
  return model;
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

function report(options: TrainOptions, history: HistoryCallback, validated: boolean): void {
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
      `best ${percent(best)} in epoch ${result.bestEpoch}; median ${Math.round(result.samplesPerSecond)} documents/s; ` +
      `peak memory ${Math.round(result.peakMemoryMB)} MB`,
  );
  console.log(`Saved in ${options.out}; try: slim-lstm predict ${options.out} "some text"`);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
