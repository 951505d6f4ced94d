import { InvalidFileError } from '../errors.js';

/** One 512-byte header block of a tar archive: POSIX.1-2017, pax, "ustar Interchange Format", and GNU's dialect. */
export interface TarHeader {
  name: string;
  /** Bytes of the entry's content. */
  size: number;
  /** The type flag, one character. */
  type: string;
}

export const BLOCK = 512;

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/**
 * @throws InvalidFileError with the code `ERR_ARCHIVE_CHECKSUM` if the block is no header or damaged, or
 *   `ERR_ARCHIVE_HEADER` if its size is no number.
 */
export function parseHeader(block: Buffer, archive: string): TarHeader {
  if (!hasValidChecksum(block)) {
    throw new InvalidFileError(
      'ERR_ARCHIVE_CHECKSUM',
      `A header of ${archive} is damaged: its checksum does not match`,
    );
  }
  const name = fieldText(block, 0, 100);
  // GNU's magic is "ustar  "; its headers use the prefix's place for other things.
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? fieldText(block, 345, 155) : '';
  const typeFlag = block[156] === 0 ? '0' : String.fromCharCode(block[156] as number);
  const size = parseNumber(block.subarray(124, 136));
  if (size === undefined) {
    throw new InvalidFileError('ERR_ARCHIVE_HEADER', `The size of entry ${name} of ${archive} is no number`);
  }
  const isOldDirectory = typeFlag === '0' && name.endsWith('/');
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type: isOldDirectory ? '5' : typeFlag };
}

/** The sum of all bytes, with spaces for the checksum's own field; some old writers summed signed bytes. */
export function hasValidChecksum(block: Buffer): boolean {
  const stored = parseNumber(block.subarray(148, 156));
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[i] as number);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return stored === unsigned || stored === signed;
}

function fieldText(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('utf8', start, end === -1 || end > start + length ? start + length : end);
}

/** Octal digits between spaces or NULs, or GNU's base-256 for large values; undefined for anything else. */
function parseNumber(field: Buffer): number | undefined {
  const first = field[0] as number;
  if (first === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const digits = /^[ \0]*([0-7]*)[ \0]*$/.exec(field.toString('latin1'))?.[1];
  return digits === undefined ? undefined : Number.parseInt(`0${digits}`, 8);
}

/**
 * The records of a pax extended header: `<length> <keyword>=<value>\n`, each counted in bytes with its own length.
 *
 * @throws InvalidFileError with the code `ERR_ARCHIVE_HEADER` for a record that breaks this form.
 */
export function parsePaxRecords(content: Buffer, archive: string): Map<string, string> {
  const records = new Map<string, string>();
  const broken = () => new InvalidFileError('ERR_ARCHIVE_HEADER', `A pax header of ${archive} is damaged`);
  let start = 0;
  while (start < content.length) {
    const space = content.indexOf(0x20, start);
    const digits = space === -1 ? '' : content.toString('latin1', start, space);
    if (!/^[1-9][0-9]{0,8}$/.test(digits)) throw broken();
    const end = start + Number(digits);
    const equals = content.indexOf(0x3d, space);
    if (end > content.length || equals === -1 || equals >= end || content[end - 1] !== 0x0a) throw broken();
    records.set(content.toString('utf8', space + 1, equals), content.toString('utf8', equals + 1, end - 1));
    start = end;
  }
  return records;
}
