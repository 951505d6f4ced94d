/** The `--data` of every command: documents with their classes, from whatever kind of file they lie in, or images. */

import { type Command, Option } from 'commander';
import { InvalidArgumentError, InvalidFileError } from '../errors.js';
import type { Recipe, Source } from '../experiments/recipe.js';
import { withoutHeaders } from '../text/decoding.js';
import { type LabelledTexts, readCsv, readDirectory, readJsonl } from '../text/index.js';

export interface DataOptions {
  data: string;
  format?: 'directory' | 'csv' | 'jsonl';
  encoding: 'auto' | 'utf-8' | 'latin1';
  headers: 'auto' | 'skip' | 'keep';
  subset?: string;
  textColumn: string;
  labelColumn: string;
}

/** Adds the options that say where documents are and how to read them. */
export function addDataOptions(command: Command): Command {
  return command
    .requiredOption(
      '--data <path>',
      'folder or archive (.tar, .tar.gz) of class folders, .csv or .jsonl (.gz too); a folder of idx files for images',
    )
    .addOption(
      new Option('--format <format>', 'what --data is; by default its name tells').choices([
        'directory',
        'csv',
        'jsonl',
      ]),
    )
    .addOption(
      new Option('--encoding <encoding>', 'of documents in folders; auto: latin1 where they are no valid utf-8')
        .choices(['auto', 'utf-8', 'latin1'])
        .default('auto'),
    )
    .addOption(
      new Option('--headers <what>', 'mail headers, up to the first empty line; auto: skip where documents have them')
        .choices(['auto', 'skip', 'keep'])
        .default('auto'),
    )
    .option('--subset <folder>', 'the folder above the class folders, such as train or test')
    .option('--text-column <name>', 'of a csv or jsonl file', 'text')
    .option('--label-column <name>', 'of a csv or jsonl file', 'label');
}

const documentOptions = ['format', 'encoding', 'headers', 'subset', 'textColumn', 'labelColumn'] as const;

/**
 * The data that the options name, to be read when the recipe wants it.
 *
 * @throws InvalidArgumentError for options about documents where the recipe reads images.
 */
export function sourceFor({ name, input }: Recipe, command: Command, signal: AbortSignal): Source {
  const options = command.opts<DataOptions>();
  const given = documentOptions.find((option) => command.getOptionValueSource(option) === 'cli');
  if (input === 'images' && given !== undefined) {
    const { long } = command.options.find((option) => option.attributeName() === given) as Option;
    throw new InvalidArgumentError(`Expected no ${long} for the recipe ${name}, which reads images`);
  }
  return {
    path: options.data,
    texts: (subset) => readData(subset === undefined ? options : withSubset(options, subset, name), signal),
  };
}

function withSubset(options: DataOptions, subset: string, recipe: string): DataOptions {
  if (options.subset !== undefined) {
    throw new InvalidArgumentError(
      `Expected no --subset for the recipe ${recipe}, which knows the parts of its data by their folders`,
    );
  }
  if ((options.format ?? formatOf(options.data)) !== 'directory') {
    throw new InvalidArgumentError(
      `Expected a folder or an archive with a folder ${subset} for --data of the recipe ${recipe} but received ${options.data}`,
    );
  }
  return { ...options, subset };
}

/**
 * Reads the documents that the options name.
 *
 * @throws InvalidArgumentError where the file's name does not tell what it is; else the readers' errors.
 */
export async function readData(options: DataOptions, signal?: AbortSignal): Promise<LabelledTexts> {
  const columns = { text: options.textColumn, label: options.labelColumn, signal };
  switch (options.format ?? formatOf(options.data)) {
    case 'csv':
      return readCsv(options.data, columns);
    case 'jsonl':
      return readJsonl(options.data, columns);
    case 'directory': {
      const documents = await readDocuments(options, signal);
      const skip = options.headers === 'skip' || (options.headers === 'auto' && haveHeaders(documents.texts));
      if (skip) documents.texts = documents.texts.map(withoutHeaders);
      return documents;
    }
  }
}

function formatOf(path: string): 'directory' | 'csv' | 'jsonl' {
  const name = path.toLowerCase().replace(/\.gz$/, '');
  if (name.endsWith('.csv')) return 'csv';
  if (name.endsWith('.jsonl') || name.endsWith('.ndjson')) return 'jsonl';
  if (/\.(txt|json|zip|xz|bz2|parquet)$/.test(name)) {
    throw new InvalidArgumentError(`Expected a folder, a tar archive, .csv or .jsonl for --data but received ${path}`);
  }
  return 'directory';
}

async function readDocuments({ data, encoding, subset }: DataOptions, signal?: AbortSignal): Promise<LabelledTexts> {
  if (encoding !== 'auto') return readDirectory(data, { encoding, subset, signal });
  try {
    return await readDirectory(data, { encoding: 'utf-8', subset, signal });
  } catch (error) {
    if (!(error instanceof InvalidFileError && error.code === 'ERR_TEXT_ENCODING')) throw error;
    return readDirectory(data, { encoding: 'latin1', subset, signal });
  }
}

/** Whether nearly all documents begin as mail and news posts do: `Name: value`. */
function haveHeaders(texts: readonly string[]): boolean {
  const withHeader = texts.reduce((count, text) => count + (/^[A-Za-z][A-Za-z-]*: /.test(text) ? 1 : 0), 0);
  return withHeader >= 0.9 * texts.length;
}
