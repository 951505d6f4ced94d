/** `slim-lstm evaluate`: how well a trained model does on labelled documents or images. */

import { Command, Option } from 'commander';
import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { recipes } from '../experiments/recipes.js';
import { confusionMatrix, mostProbableClasses, worstConfusions } from '../report/confusion.js';
import type { LabelledTexts } from '../text/index.js';
import { withInterruption } from './interruption.js';
import {
  type DeviceOptions,
  type ImageClassifier,
  imageProbabilities,
  loadClassifier,
  type TextClassifier,
  textProbabilities,
} from './saved-model.js';
import { addDataOptions, type DataOptions, sourceFor } from './text-data.js';
import { naturalNumber, otherImplementationOption, otherPrecisionOption, positiveInteger } from './values.js';

interface EvaluateOptions extends DataOptions, DeviceOptions {
  part: 'all' | 'validation';
  confusions: number;
  json?: boolean;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .usage('<run> --data <path> [options]')
    .description(
      "A trained model's loss and accuracy on labelled documents or images, and the classes it confuses most.",
    )
    .argument('<run>', 'folder of a training run or of a model');
  return addDataOptions(command)
    .addOption(
      new Option(
        '--part <part>',
        "all: whatever --data holds, of a run's own data what it was trained on too; validation: what it held back of it",
      )
        .choices(['all', 'validation'])
        .default('all'),
    )
    .option('--confusions <count>', 'how many pairs of confused classes to name', naturalNumber, 5)
    .option('--device <name>', 'cpu, cuda, cuda:1 or auto', 'auto')
    .option('--threads <count>', 'of the CPU; by default one a core', positiveInteger)
    .addOption(otherPrecisionOption())
    .addOption(otherImplementationOption())
    .option('--json', 'one JSON object')
    .action((run: string, _options: EvaluateOptions, command: Command) =>
      withInterruption((signal) => evaluate(run, command, signal)),
    );
}

/** Labels, and the probabilities of all classes for each sample. */
interface Scored {
  readonly what: 'documents' | 'images';
  readonly labels: Int32Array;
  readonly scores: readonly Float32Array[];
}

async function evaluate(folder: string, command: Command, signal: AbortSignal): Promise<void> {
  const options = command.opts<EvaluateOptions>();
  const classifier = await loadClassifier(folder, options);
  using _ = classifier.model;
  const scored =
    classifier.input === 'images'
      ? await scoredImages(classifier, command, signal)
      : await scoredTexts(classifier, folder, command, signal);
  print(scored, classifier.classNames, options);
}

async function scoredImages(classifier: ImageClassifier, command: Command, signal: AbortSignal): Promise<Scored> {
  const { part } = command.opts<EvaluateOptions>();
  const { recipe, classNames } = classifier;
  const { images, labels } = await recipe.images(sourceFor(recipe, command, signal), part, signal);
  const unknown = labels.find((label) => label < 0 || label >= classNames.length);
  if (unknown !== undefined) {
    throw new InvalidDataError(`The class ${unknown} of the data is none of the model's: ${classNames.join(', ')}`);
  }
  return { what: 'images', labels, scores: await imageProbabilities(classifier, images, signal) };
}

async function scoredTexts(
  classifier: TextClassifier,
  folder: string,
  command: Command,
  signal: AbortSignal,
): Promise<Scored> {
  const { run, classNames } = classifier;
  const source = sourceFor(run?.recipe ?? recipes[0], command, signal);
  const held = command.opts<EvaluateOptions>().part === 'validation';
  if (held && run === null) {
    throw new InvalidArgumentError(
      `Expected the folder of a training run for --part validation but received ${folder}`,
    );
  }
  const documents = held && run !== null ? await run.recipe.heldOut(source, run.record) : await source.texts();
  return {
    what: 'documents',
    labels: modelLabels(documents, classNames),
    scores: await textProbabilities(classifier, documents.texts, signal),
  };
}

/** The documents' labels as the model's class ids: classes are matched by name. */
function modelLabels(documents: LabelledTexts, classNames: readonly string[]): Int32Array {
  const ids = documents.classNames.map((name) => {
    const id = classNames.indexOf(name);
    if (id === -1) {
      throw new InvalidDataError(`The class ${name} of the data is none of the model's: ${classNames.join(', ')}`);
    }
    return id;
  });
  return documents.labels.map((label) => ids[label] as number);
}

function print(
  { what, labels, scores }: Scored,
  classNames: readonly string[],
  { json, confusions }: EvaluateOptions,
): void {
  const flat = new Float32Array(scores.length * classNames.length);
  scores.forEach((row, i) => {
    flat.set(row, i * classNames.length);
  });
  const matrix = confusionMatrix(labels, mostProbableClasses(flat, classNames.length), classNames.length);
  // Keras clips probabilities here, so that one certain mistake does not make the loss infinite.
  const loss = scores.reduce((sum, row, i) => sum - Math.log(Math.max(row[labels[i] as number] as number, 1e-7)), 0);
  const result = {
    [what]: scores.length,
    loss: loss / scores.length,
    accuracy: matrix.accuracy,
    confusions: worstConfusions(matrix, confusions).map(({ actual, predicted, count }) => ({
      actual: classNames[actual],
      predicted: classNames[predicted],
      count,
    })),
  };
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  console.log(`${scores.length} ${what}`);
  console.log(`loss ${result.loss.toFixed(4)}, accuracy ${(100 * result.accuracy).toFixed(2)} %`);
  if (result.confusions.length > 0) console.log('Most often taken for another:');
  for (const { actual, predicted, count } of result.confusions) console.log(`  ${actual} as ${predicted}: ${count}`);
}
