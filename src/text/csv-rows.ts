import { InvalidFileError } from '../errors.js';
import { type Limits, limitExceeded } from './limits.js';

/** A row of a CSV file and the number of the line it begins in, from 1. */
export interface CsvRow {
  fields: string[];
  line: number;
}

const QUOTE = 0x22;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Where the parser stands: before a field, in one without or with quotes, after a quote that may end it, in the line end. */
type State = 'fieldStart' | 'plain' | 'quoted' | 'quoteInQuoted' | 'lineEnd';

/**
 * The rows of CSV text as RFC 4180 has them, in pieces of any length: fields may stand in quotes and then hold separators,
 * line ends and doubled quotes; lines end with `\r\n` or `\n`; empty lines are passed over.
 */
export class CsvParser {
  readonly #path: string;
  readonly #separator: number;
  readonly #limits: Limits;
  #state: State = 'fieldStart';
  #field = '';
  #rowLength = 0;
  #fields: string[] = [];
  #line = 1;
  #rowLine = 1;

  constructor(path: string, separator: string, limits: Limits) {
    this.#path = path;
    this.#separator = separator.charCodeAt(0);
    this.#limits = limits;
  }

  /**
   * The rows that end within `text`.
   *
   * @throws InvalidFileError with the code `ERR_CSV_QUOTE` for a quote within a field that does not begin with one, or
   *   for text after the closing quote; `ERR_LIMIT_DOCUMENT` for a row longer than `limits.documentBytes`.
   */
  push(text: string): CsvRow[] {
    const rows: CsvRow[] = [];
    // The part of the present field that begins in this piece; it goes to #field in one slice.
    let start = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit === NEWLINE) this.#line++;
      if (this.#state === 'quoted') {
        if (unit !== QUOTE) continue;
        this.#grow(text.slice(start, i));
        this.#state = 'quoteInQuoted';
      } else if (this.#state === 'quoteInQuoted' && unit === QUOTE) {
        start = i;
        this.#state = 'quoted';
      } else if (unit === NEWLINE || (unit === this.#separator && this.#state !== 'lineEnd')) {
        if (this.#state === 'plain') this.#grow(text.slice(start, i));
        this.#endField(unit === NEWLINE);
        if (unit === NEWLINE) this.#endRow(rows);
      } else if (this.#state === 'fieldStart') {
        start = unit === QUOTE ? i + 1 : i;
        this.#state = unit === QUOTE ? 'quoted' : 'plain';
      } else if (this.#state === 'quoteInQuoted' && unit === CARRIAGE_RETURN) {
        this.#state = 'lineEnd';
      } else if (unit === QUOTE || this.#state !== 'plain') {
        throw this.#violation(
          'ERR_CSV_QUOTE',
          'a quote stands where none can; a field with quotes must stand in quotes, and quotes in it be doubled',
        );
      }
    }
    if (this.#state === 'plain' || this.#state === 'quoted') this.#grow(text.slice(start));
    return rows;
  }

  /**
   * The last row, if its line lacks an end.
   *
   * @throws InvalidFileError with the code `ERR_CSV_UNTERMINATED` if the text ends within quotes.
   */
  finish(): CsvRow[] {
    if (this.#state === 'quoted') {
      throw this.#violation('ERR_CSV_UNTERMINATED', 'the file ends within the quotes of this row');
    }
    const rows: CsvRow[] = [];
    if (this.#state !== 'fieldStart' || this.#fields.length > 0) {
      this.#endField(true);
      this.#endRow(rows);
    }
    return rows;
  }

  #grow(part: string): void {
    this.#field += part;
    this.#rowLength += part.length;
    if (this.#rowLength > this.#limits.documentBytes) {
      throw limitExceeded(
        'documentBytes',
        'ERR_LIMIT_DOCUMENT',
        `The row in line ${this.#rowLine} of ${this.#path} has more bytes`,
        this.#limits,
      );
    }
  }

  #endField(isLast: boolean): void {
    const isPlain = this.#state === 'plain';
    this.#fields.push(isLast && isPlain && this.#field.endsWith('\r') ? this.#field.slice(0, -1) : this.#field);
    this.#field = '';
    this.#rowLength++;
    this.#state = 'fieldStart';
  }

  #endRow(rows: CsvRow[]): void {
    const isEmptyLine = this.#fields.length === 1 && this.#fields[0] === '';
    if (!isEmptyLine) rows.push({ fields: this.#fields, line: this.#rowLine });
    this.#fields = [];
    this.#rowLength = 0;
    this.#rowLine = this.#line;
  }

  #violation(code: string, what: string): InvalidFileError {
    return new InvalidFileError(code, `Line ${this.#rowLine} of ${this.#path}: ${what}`);
  }
}
