import { InvalidFileError } from '../errors.js';

const SPACE = 0x20;

/** A line's vector: `write` puts its numbers to `target`, from `offset` on. */
export interface VectorLine {
  word: string;
  write(target: Float32Array, offset: number): void;
}

/** The lines of a file in GloVe's text form, or word2vec's; see `wordVectors` for the rules and errors. */
export class VectorLineParser {
  readonly #path: string;
  #dimension: number | undefined;
  #line = 0;
  #vectorLines = 0;

  constructor(path: string, dimension: number | undefined) {
    this.#path = path;
    this.#dimension = dimension;
  }

  get dimension(): number | undefined {
    return this.#dimension;
  }

  get vectorLines(): number {
    return this.#vectorLines;
  }

  /** Undefined for what is no vector's line: the header, an empty line. */
  parse(line: Buffer): VectorLine | undefined {
    this.#line++;
    const trimmed = withoutTrailingSpaces(line);
    if (trimmed.length === 0) return undefined;
    const spaces = countSpaces(trimmed);
    if (this.#line === 1 && spaces === 1 && this.#takeHeader(trimmed)) return undefined;
    this.#dimension ??= spaces;
    this.#vectorLines++;
    if (spaces < this.#dimension || this.#dimension === 0) throw this.#dimensionError(spaces);
    const wordEnd = nthSpace(trimmed, spaces - this.#dimension);
    if (wordEnd === 0) throw this.#dimensionError(spaces, 'no word and ');
    return {
      word: trimmed.toString('utf8', 0, wordEnd),
      write: (target, offset) => this.#writeNumbers(trimmed, wordEnd + 1, target, offset),
    };
  }

  /** The first line of word2vec's text form: the number of words, the dimension. */
  #takeHeader(line: Buffer): boolean {
    const header = /^[0-9]+ ([1-9][0-9]*)$/.exec(line.toString('latin1'));
    if (header === null || this.#dimension === 1) return false;
    const dimension = Number(header[1]);
    if (this.#dimension !== undefined && this.#dimension !== dimension) throw this.#dimensionError(dimension);
    this.#dimension = dimension;
    return true;
  }

  #writeNumbers(line: Buffer, start: number, target: Float32Array, offset: number): void {
    const fields = line.toString('latin1', start).split(' ');
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as string;
      const number = Math.fround(Number(field));
      if (!Number.isFinite(number) || field === '') {
        throw new InvalidFileError(
          'ERR_VECTORS_NUMBER',
          `Expected a number as entry ${i + 1} of the vector in line ${this.#line} of ${this.#path} but received '${field.slice(0, 40)}'`,
        );
      }
      target[offset + i] = number;
    }
  }

  #dimensionError(found: number, but = ''): InvalidFileError {
    return new InvalidFileError(
      'ERR_VECTORS_DIMENSION',
      `Expected a word and ${this.#dimension || 'its'} numbers in line ${this.#line} of ${this.#path} but received ${but}${found} numbers`,
    );
  }
}

function withoutTrailingSpaces(line: Buffer): Buffer {
  let end = line.length;
  while (end > 0 && line[end - 1] === SPACE) end--;
  return line.subarray(0, end);
}

function countSpaces(line: Buffer): number {
  let count = 0;
  for (let i = 0; i < line.length; i++) if (line[i] === SPACE) count++;
  return count;
}

/** The position of the space that `n` others precede. */
function nthSpace(line: Buffer, n: number): number {
  let position = line.indexOf(SPACE);
  for (let i = 0; i < n; i++) position = line.indexOf(SPACE, position + 1);
  return position;
}
