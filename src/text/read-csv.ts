import { checkedOptions, choice, nonEmptyString } from '../arguments.js';
import { InvalidArgumentError, InvalidDataError, InvalidFileError } from '../errors.js';
import { expectation } from '../expectation.js';
import { byteStream } from './byte-stream.js';
import { CsvParser, type CsvRow } from './csv-rows.js';
import { type Encoding, textPieces } from './decoding.js';
import {
  checkedClasses,
  checkedEmptyDocuments,
  type EmptyDocuments,
  type LabelledTexts,
  LabelledTextsBuilder,
} from './labelled-texts.js';
import { checkedLimits, type Limits, type ReadLimits } from './limits.js';
import { RowClasses } from './row-classes.js';

export interface ReadCsvOptions {
  /** The column of the text: its name in the first row, or its number from 0 in a file whose first row is data. */
  text: string | number;
  /** The column of the label, given in the same way. */
  label: string | number;
  /** What separates fields, one character; a comma by default. */
  separator?: string | undefined;
  encoding?: Encoding | undefined;
  /** The classes in the order of their ids; by default all labels that occur, sorted. */
  classes?: readonly string[] | undefined;
  /** What becomes of texts without any character but white space; `'keep'` by default. */
  emptyDocuments?: EmptyDocuments | undefined;
  limits?: ReadLimits | undefined;
  signal?: AbortSignal | undefined;
}

const OPTION_NAMES = [
  'text',
  'label',
  'separator',
  'encoding',
  'classes',
  'emptyDocuments',
  'limits',
  'signal',
] as const;

/**
 * Labelled documents from a CSV file (RFC 4180: fields may stand in quotes and hold line ends), packed with gzip or not,
 * in the file's order. Labels are sorted to become class ids: as numbers if all are whole numbers, else as strings.
 *
 * @throws InvalidArgumentError for an unusable option.
 * @throws FileAccessError if the file cannot be read.
 * @throws InvalidFileError naming the line, with the code `ERR_CSV_QUOTE`, `ERR_CSV_UNTERMINATED`, `ERR_CSV_COLUMNS` (a
 *   row with more or fewer fields than the first), `ERR_TEXT_ENCODING`, `ERR_GZIP_...` or `ERR_LIMIT_...`.
 * @throws InvalidDataError if a column does not exist, if a label is empty or unknown, if there is no row.
 */
export async function readCsv(path: string, options: ReadCsvOptions): Promise<LabelledTexts> {
  nonEmptyString(path, 'path');
  const given = checkedOptions(options, OPTION_NAMES, 'readCsv');
  checkColumns(given);
  const { separator = ',', signal } = given;
  if (typeof separator !== 'string' || !/^[^"\r\n]$/.test(separator)) {
    throw new InvalidArgumentError(expectation('one character, no quote or line end', 'separator', separator));
  }
  const encoding = choice(given.encoding ?? 'utf-8', 'encoding', ['utf-8', 'latin1']);
  const classes = checkedClasses(given.classes);
  const emptyDocuments = checkedEmptyDocuments(given.emptyDocuments);
  const limits = checkedLimits(given.limits);

  const documents = new LabelledTextsBuilder(path, emptyDocuments);
  const rowClasses = new RowClasses(classes);
  let columns: Columns | undefined;
  for await (const rows of csvRows(path, separator, encoding, limits, signal)) {
    for (const row of rows) {
      if (columns === undefined) {
        columns = columnsOf(row, given, path);
        if (columns.firstRowIsHeader) continue;
      }
      const { fields, line } = row;
      if (fields.length !== columns.count) {
        throw new InvalidFileError(
          'ERR_CSV_COLUMNS',
          `Line ${line} of ${path} has ${fields.length} fields but the first row has ${columns.count}`,
        );
      }
      const text = fields[columns.text] as string;
      const label = rowClasses.idOf(fields[columns.label] as string, `line ${line} of ${path}`);
      documents.add({ text, label, name: `line ${line}` });
    }
  }
  return rowClasses.finish(documents);
}

async function* csvRows(
  path: string,
  separator: string,
  encoding: Encoding,
  limits: Limits,
  signal: AbortSignal | undefined,
): AsyncGenerator<CsvRow[]> {
  const parser = new CsvParser(path, separator, limits);
  for await (const text of textPieces(path, byteStream(path, limits, signal), encoding, limits))
    yield parser.push(text);
  yield parser.finish();
}

function checkColumns({ text, label }: ReadCsvOptions): void {
  for (const [name, column] of [['text', text] as const, ['label', label] as const]) {
    const isName = typeof column === 'string' && column !== '';
    const isNumber = Number.isSafeInteger(column) && (column as number) >= 0;
    if (!isName && !isNumber) {
      throw new InvalidArgumentError(expectation('the name of a column or its number from 0', name, column));
    }
  }
  if (typeof text !== typeof label) {
    throw new InvalidArgumentError('Expected text and label to be both names or both numbers of columns');
  }
}

interface Columns {
  text: number;
  label: number;
  count: number;
  firstRowIsHeader: boolean;
}

// A file that is no CSV may have a header of any length.
const LONGEST_HEADER = 300;

function shortened(header: string): string {
  return header.length > LONGEST_HEADER ? `${header.slice(0, LONGEST_HEADER)}...` : header;
}

function columnsOf({ fields }: CsvRow, { text, label }: ReadCsvOptions, path: string): Columns {
  const position = (column: string | number): number => {
    const at = typeof column === 'number' ? column : fields.indexOf(column);
    if (at >= 0 && at < fields.length) return at;
    if (typeof column === 'number') {
      throw new InvalidDataError(
        `${path} has no column ${column}; the last of its ${fields.length} is ${fields.length - 1}`,
      );
    }
    throw new InvalidDataError(`${path} has no column '${column}'; its columns are ${shortened(fields.join(', '))}`);
  };
  return {
    text: position(text),
    label: position(label),
    count: fields.length,
    firstRowIsHeader: typeof text === 'string',
  };
}
