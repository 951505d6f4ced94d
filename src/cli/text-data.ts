/** The `--data` of every command: documents with their classes, from whatever kind of file they lie in. */

import { type Command, Option } from 'commander';
import { InvalidArgumentError, InvalidFileError } from '../errors.js';
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
    .requiredOption('--data <path>', 'folder or archive (.tar, .tar.gz) of class folders, .csv or .jsonl (.gz too)')
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

/**
 * Reads what the options name.
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
