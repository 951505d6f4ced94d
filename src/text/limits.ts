import { checkedOptions } from '../arguments.js';
import { InvalidArgumentError, InvalidFileError } from '../errors.js';
import { expectation } from '../expectation.js';

/**
 * How much a file may hold. An archive or compressed file comes from elsewhere and may be built to unpack without end;
 * each limit is there to be raised for a file that is known. `Infinity` lifts it.
 */
export interface ReadLimits {
  /** Bytes after unpacking, all documents and everything between them. 4 GiB by default. */
  totalBytes?: number | undefined;
  /** Bytes of one document, row or line. 64 MiB by default. */
  documentBytes?: number | undefined;
  /** Files in a folder or entries of an archive. 2,000,000 by default. */
  entries?: number | undefined;
  /** Unpacked bytes for each compressed byte, from 16 MiB on. 200 by default: English text reaches 3 to 5, DEFLATE 1,032. */
  ratio?: number | undefined;
}

export type Limits = Readonly<Record<keyof ReadLimits, number>>;

const DEFAULTS: Limits = { totalBytes: 2 ** 32, documentBytes: 2 ** 26, entries: 2_000_000, ratio: 200 };
const NAMES = ['totalBytes', 'documentBytes', 'entries', 'ratio'] as const;

/** @throws InvalidArgumentError */
export function checkedLimits(limits?: ReadLimits): Limits {
  const given = checkedOptions(limits, NAMES, 'limits');
  const checked: Record<keyof ReadLimits, number> = { ...DEFAULTS };
  for (const name of NAMES) {
    const value: unknown = given[name];
    if (value === undefined) continue;
    const isLimit = typeof value === 'number' && value >= 1 && (Number.isInteger(value) || value === Infinity);
    if (!isLimit)
      throw new InvalidArgumentError(expectation('a positive integer or Infinity', `limits.${name}`, value));
    checked[name] = value;
  }
  return checked;
}

/** `what` is the sentence up to the limit: `The archive holds more entries`. */
export function limitExceeded(limit: keyof ReadLimits, code: string, what: string, limits: Limits): InvalidFileError {
  return new InvalidFileError(code, `${what} than limits.${limit} allows (${limits[limit]})`);
}
