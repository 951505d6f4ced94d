/**
 * `slim-lstm predict`: the classes of texts, given as arguments, in a file, or as lines on standard input; of images, in
 * an idx file.
 */

import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { Command } from 'commander';
import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { cannotRead } from '../file-access.js';
import { readImages } from '../images/mnist.js';
import { checkedLimits } from '../text/limits.js';
import { byteLines, withoutLineEnd } from '../text/lines.js';
import { withInterruption } from './interruption.js';
import {
  BATCH,
  type DeviceOptions,
  type ImageClassifier,
  imageProbabilities,
  loadClassifier,
  type TextClassifier,
  textProbabilities,
} from './saved-model.js';
import { otherImplementationOption, otherPrecisionOption, positiveInteger } from './values.js';

interface PredictOptions extends DeviceOptions {
  file?: string;
  lines?: string;
  images?: string;
  top: number;
  json?: boolean;
}

export function predictCommand(): Command {
  return new Command('predict')
    .description('Classify texts: arguments, a file, or the lines of standard input where none is given; or images.')
    .argument('<run>', 'folder of a training run or of a model')
    .argument('[texts...]', 'each a text of its own')
    .option('--file <path>', 'one text: all of the file')
    .option('--lines <path>', 'a text on each line of the file')
    .option('--images <path>', 'an idx file (.gz too), for a run on images')
    .option('--top <count>', 'how many classes to name', positiveInteger, 1)
    .option('--device <name>', 'cpu, cuda, cuda:1 or auto', 'auto')
    .option('--threads <count>', 'of the CPU; by default one a core', positiveInteger)
    .addOption(otherPrecisionOption())
    .addOption(otherImplementationOption())
    .option('--json', 'one JSON object a line, with the probabilities of all classes')
    .action((run: string, texts: string[], options: PredictOptions) =>
      withInterruption((signal) => predict(run, texts, options, signal)),
    );
}

async function predict(run: string, texts: string[], options: PredictOptions, signal: AbortSignal): Promise<void> {
  const { file, lines, images } = options;
  const given = { texts: texts.length > 0 || undefined, '--file': file, '--lines': lines, '--images': images };
  const sources = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (sources.length > 1) {
    throw new InvalidArgumentError(
      `Expected texts as arguments, --file, --lines or --images, but received ${sources.join(' and ')}`,
    );
  }
  const classifier = await loadClassifier(run, options);
  using _ = classifier.model;
  if (classifier.input === 'images') {
    if (images === undefined) {
      throw new InvalidArgumentError(`Expected --images for the run ${run}, which was trained on images`);
    }
    return await classifyImages(classifier, images, options, signal);
  }
  if (images !== undefined) {
    throw new InvalidArgumentError(`Expected texts for the model in ${run}, which reads no images`);
  }
  if (texts.length > 0) return await classify(classifier, texts, options, signal);
  if (file !== undefined) return await classify(classifier, [await wholeFile(file)], options, signal);
  for await (const batch of lineBatches(lines, signal)) await classify(classifier, batch, options, signal);
}

/** Prints a line for each image, in their order. */
async function classifyImages(
  classifier: ImageClassifier,
  path: string,
  { json, top }: PredictOptions,
  signal: AbortSignal,
): Promise<void> {
  const scores = await imageProbabilities(classifier, await readImages(path, { signal }), signal);
  const { classNames } = classifier;
  const lines = scores.map((row, image) => (json ? asJson({ image }, row, classNames) : inWords(row, classNames, top)));
  console.log(lines.join('\n'));
}

async function wholeFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

/** Lines of a file, or of standard input, in batches: those that have come, so that a pipe that pauses is answered. */
async function* lineBatches(path: string | undefined, signal: AbortSignal): AsyncGenerator<string[]> {
  for await (const lines of byteLines(path ?? 'standard input', pieces(path, signal), checkedLimits())) {
    for (let begin = 0; begin < lines.length; begin += BATCH) {
      yield lines.slice(begin, begin + BATCH).map((line) => withoutLineEnd(line).toString('utf8'));
    }
  }
}

async function* pieces(path: string | undefined, signal: AbortSignal): AsyncGenerator<Buffer> {
  if (path === undefined && process.stdin.isTTY === true) process.stderr.write('One text a line; Ctrl-D ends.\n');
  const input = path === undefined ? process.stdin : createReadStream(path);
  try {
    for await (const piece of addAbortSignal(signal, input)) yield piece as Buffer;
  } catch (cause) {
    signal.throwIfAborted();
    throw cannotRead(path ?? 'standard input', cause);
  }
}

/** Prints a line for each text, in their order. An empty line has no class and gives an empty line. */
async function classify(
  classifier: TextClassifier,
  texts: string[],
  options: PredictOptions,
  signal: AbortSignal,
): Promise<void> {
  const worded = texts.filter((text) => text.trim() !== '');
  if (worded.length === 0 && texts.length === 1)
    throw new InvalidDataError('Expected a text with words but it is empty');
  const scores = worded.length === 0 ? [] : await textProbabilities(classifier, worded, signal);
  let next = 0;
  for (const text of texts) {
    const found = text.trim() === '' ? undefined : scores[next++];
    const { classNames } = classifier;
    console.log(options.json ? asJson({ text }, found, classNames) : inWords(found, classNames, options.top));
  }
}

function ranked(scores: Float32Array, classNames: readonly string[]): { label: string; probability: number }[] {
  return Array.from(scores, (probability, i) => ({ label: classNames[i] ?? String(i), probability })).sort(
    (a, b) => b.probability - a.probability,
  );
}

/** `sample` is what the line is about: `{ text }` or `{ image }`. */
function asJson(sample: object, scores: Float32Array | undefined, classNames: readonly string[]): string {
  if (scores === undefined) return JSON.stringify({ ...sample, label: null, probabilities: null });
  const classes = ranked(scores, classNames);
  return JSON.stringify({
    ...sample,
    label: classes[0]?.label,
    probabilities: Object.fromEntries(classes.map(({ label, probability }) => [label, probability])),
  });
}

function inWords(scores: Float32Array | undefined, classNames: readonly string[], top: number): string {
  if (scores === undefined) return '';
  return ranked(scores, classNames)
    .slice(0, top)
    .map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`)
    .join('\t');
}
