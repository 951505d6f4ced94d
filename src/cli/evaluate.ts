/** `slim-lstm evaluate`: how well a trained model does on labelled documents. */

import { Command, Option } from 'commander';
import { InvalidDataError } from '../errors.js';
import { confusionMatrix, mostProbableClasses, worstConfusions } from '../report/confusion.js';
import { type LabelledTexts, trainValidationSplit } from '../text/index.js';
import { withInterruption } from './interruption.js';
import { readRunRecord } from './run-folder.js';
import { type DeviceOptions, loadTextModel, probabilities } from './saved-model.js';
import { addDataOptions, type DataOptions, readData } from './text-data.js';
import { naturalNumber, positiveInteger } from './values.js';

interface EvaluateOptions extends DataOptions, DeviceOptions {
  part: 'all' | 'validation';
  confusions: number;
  json?: boolean;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description("A trained model's loss and accuracy on labelled documents, and the classes it confuses most.")
    .argument('<run>', 'folder of a training run or of a model');
  return addDataOptions(command)
    .addOption(
      new Option('--part <part>', 'validation: what the run held back of the same --data')
        .choices(['all', 'validation'])
        .default('all'),
    )
    .option('--confusions <count>', 'how many pairs of confused classes to name', naturalNumber, 5)
    .option('--device <name>', 'cpu, cuda, cuda:1 or auto', 'auto')
    .option('--threads <count>', 'of the CPU; by default one a core', positiveInteger)
    .option('--json', 'one JSON object')
    .action((run: string, options: EvaluateOptions) => withInterruption((signal) => evaluate(run, options, signal)));
}

async function evaluate(run: string, options: EvaluateOptions, signal: AbortSignal): Promise<void> {
  const loaded = await loadTextModel(run, options);
  using _ = loaded.model;
  const { classNames } = loaded;
  const read = await readData(options, signal);
  const part = options.part === 'validation' ? await validationPart(run, read) : read;
  const { texts } = part;
  const labels = modelLabels(part, classNames);

  const scores = await probabilities(loaded, texts, signal);
  const flat = new Float32Array(texts.length * classNames.length);
  scores.forEach((row, i) => {
    flat.set(row, i * classNames.length);
  });
  const matrix = confusionMatrix(labels, mostProbableClasses(flat, classNames.length), classNames.length);
  // Keras clips probabilities here, so that one certain mistake does not make the loss infinite.
  const loss = scores.reduce((sum, row, i) => sum - Math.log(Math.max(row[labels[i] as number] as number, 1e-7)), 0);
  const result = {
    documents: texts.length,
    loss: loss / texts.length,
    accuracy: matrix.accuracy,
    confusions: worstConfusions(matrix, options.confusions).map(({ actual, predicted, count }) => ({
      actual: classNames[actual],
      predicted: classNames[predicted],
      count,
    })),
  };
  if (options.json) {
    console.log(JSON.stringify(result));
    return;
  }
  console.log(`${result.documents} documents`);
  console.log(`loss ${result.loss.toFixed(4)}, accuracy ${(100 * result.accuracy).toFixed(2)} %`);
  if (result.confusions.length > 0) console.log('Most often taken for another:');
  for (const { actual, predicted, count } of result.confusions) console.log(`  ${actual} as ${predicted}: ${count}`);
}

/** The documents that the run held back, found again by its seed. */
async function validationPart(run: string, read: LabelledTexts): Promise<LabelledTexts> {
  const record = await readRunRecord(run);
  if (record.documents !== read.texts.length) {
    throw new InvalidDataError(
      `The run was trained on ${record.documents} documents but --data holds ${read.texts.length}; ` +
        'its validation part can be found in the same data only',
    );
  }
  const { validation } = trainValidationSplit(read.texts.length, {
    validationFraction: record.validationSplit,
    seed: record.seed,
  });
  return {
    ...read,
    texts: Array.from(validation, (row) => read.texts[row] as string),
    labels: validation.map((row) => read.labels[row] as number),
    names: Array.from(validation, (row) => read.names[row] as string),
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
