import { checkedOptions, nonEmptyString } from '../arguments.js';
import { InvalidFileError } from '../errors.js';
import { expectation } from '../expectation.js';
import { byteStream } from './byte-stream.js';
import { decodeText } from './decoding.js';
import {
  checkedClasses,
  checkedEmptyDocuments,
  type EmptyDocuments,
  type LabelledTexts,
  LabelledTextsBuilder,
} from './labelled-texts.js';
import { checkedLimits, type ReadLimits } from './limits.js';
import { byteLines } from './lines.js';
import { RowClasses } from './row-classes.js';

export interface ReadJsonlOptions {
  /** The name of the field that holds the text, a string. */
  text: string;
  /** The name of the field that holds the label: a string, a number, true or false. */
  label: string;
  /** The classes in the order of their ids; by default all labels that occur, sorted. */
  classes?: readonly string[] | undefined;
  /** What becomes of texts without any character but white space; `'keep'` by default. */
  emptyDocuments?: EmptyDocuments | undefined;
  limits?: ReadLimits | undefined;
  signal?: AbortSignal | undefined;
}

const OPTION_NAMES = ['text', 'label', 'classes', 'emptyDocuments', 'limits', 'signal'] as const;

/**
 * Labelled documents from a file with one JSON object a line, UTF-8, packed with gzip or not, in the file's order. Empty
 * lines are passed over. Labels are sorted to become class ids: as numbers if all are whole numbers, else as strings.
 *
 * @throws InvalidArgumentError for an unusable option.
 * @throws FileAccessError if the file cannot be read.
 * @throws InvalidFileError naming the line, with the code `ERR_JSONL_SYNTAX` (no JSON), `ERR_JSONL_FIELD` (no object, or a
 *   field missing or of another type), `ERR_TEXT_ENCODING`, `ERR_GZIP_...` or `ERR_LIMIT_...`.
 * @throws InvalidDataError if a label is empty or unknown, if there is no row.
 */
export async function readJsonl(path: string, options: ReadJsonlOptions): Promise<LabelledTexts> {
  nonEmptyString(path, 'path');
  const { signal, ...given } = checkedOptions(options, OPTION_NAMES, 'readJsonl');
  const text = nonEmptyString(given.text, 'text');
  const label = nonEmptyString(given.label, 'label');
  const classes = checkedClasses(given.classes);
  const emptyDocuments = checkedEmptyDocuments(given.emptyDocuments);
  const limits = checkedLimits(given.limits);

  const documents = new LabelledTextsBuilder(path, emptyDocuments);
  const rowClasses = new RowClasses(classes);
  let lineNumber = 0;
  for await (const lines of byteLines(path, byteStream(path, limits, signal), limits)) {
    for (const bytes of lines) {
      lineNumber++;
      const line = decodeText(bytes, 'utf-8', path, lineNumber).trim();
      if (line === '') continue;
      const where = `line ${lineNumber} of ${path}`;
      const row = parseObject(line, where);
      documents.add({
        text: textOf(row, text, where),
        label: rowClasses.idOf(labelOf(row, label, where), where),
        name: `line ${lineNumber}`,
      });
    }
  }
  return rowClasses.finish(documents);
}

function parseObject(line: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new InvalidFileError('ERR_JSONL_SYNTAX', `Expected JSON in ${where}: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidFileError('ERR_JSONL_FIELD', expectation('an object', where, value));
}

function textOf(row: Record<string, unknown>, field: string, where: string): string {
  const value = ownField(row, field);
  if (typeof value === 'string') return value;
  throw new InvalidFileError('ERR_JSONL_FIELD', expectation('a string', `'${field}' in ${where}`, value));
}

function labelOf(row: Record<string, unknown>, field: string, where: string): string {
  const value = ownField(row, field);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new InvalidFileError(
    'ERR_JSONL_FIELD',
    expectation('a string, number or boolean', `'${field}' in ${where}`, value),
  );
}

function ownField(row: Record<string, unknown>, field: string): unknown {
  return Object.hasOwn(row, field) ? row[field] : undefined;
}
