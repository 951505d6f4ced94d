/**
 * The safetensors format: 8 bytes with the length of the header (little endian), the header in JSON (name to
 * `{ dtype, shape, data_offsets }`), then the arrays' bytes, little endian, row-major. The reader trusts nothing: it
 * checks the whole header against the file's length before it allocates anything, and every violation has a code.
 */

import type { FileHandle } from 'node:fs/promises';
import { InvalidFileError } from '../../errors.js';
import type { Tensor } from '../../tensor.js';
import { readFully, withFile } from './file-reading.js';
import { isJsonObject, type JsonObject, JsonSyntaxError, type JsonValue, parseStrictJson } from './strict-json.js';

/** What a header says of an array. Offsets are from the beginning of the file. */
export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const LENGTH_BYTES = 8;
const LONGEST_HEADER = 100_000_000;
const METADATA = '__metadata__';

const bytesOf: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

function violation(path: string, kind: string, message: string, cause?: unknown): InvalidFileError {
  return new InvalidFileError(`ERR_SAFETENSORS_${kind}`, `${path} is no valid safetensors file: ${message}`, { cause });
}

/**
 * Reads and checks the header alone.
 *
 * @throws InvalidFileError with the code `ERR_SAFETENSORS_` and `TRUNCATED`, `HEADER_LENGTH`, `HEADER_JSON`,
 *   `DUPLICATE_KEY`, `METADATA`, `ENTRY`, `DTYPE`, `SHAPE`, `OFFSETS`, `OFFSET_BOUNDS`, `OFFSET_OVERLAP`, `OFFSET_GAP`,
 *   `SIZE_MISMATCH` or `TRAILING_BYTES`.
 * @throws FileAccessError
 */
export function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, (file, size) => readHeader(file, path, size));
}

/**
 * Reads a file whole. Only the types this package writes are taken: F32 and I32.
 *
 * @throws InvalidFileError as {@link readSafetensorsHeader}, and `ERR_SAFETENSORS_DTYPE` for another type of numbers.
 */
export function readSafetensors(
  path: string,
): Promise<{ readonly metadata: Readonly<Record<string, string>>; readonly tensors: Map<string, Tensor> }> {
  return withFile(path, async (file, size) => {
    const header = await readHeader(file, path, size);
    for (const [name, { dtype }] of header.tensors) {
      if (dtype !== 'F32' && dtype !== 'I32') {
        throw violation(path, 'DTYPE', `${JSON.stringify(name)} is of type ${dtype}; F32 and I32 are read`);
      }
    }
    const tensors = new Map<string, Tensor>();
    for (const [name, { dtype, shape, begin, end }] of header.tensors) {
      const bytes = new Uint8Array(end - begin);
      await readFully(file, path, bytes, begin, 'ERR_SAFETENSORS_TRUNCATED');
      const data = dtype === 'F32' ? new Float32Array(bytes.buffer) : new Int32Array(bytes.buffer);
      tensors.set(name, { data, shape });
    }
    return { metadata: header.metadata, tensors };
  });
}

async function readHeader(file: FileHandle, path: string, size: number): Promise<SafetensorsHeader> {
  if (size < LENGTH_BYTES) throw violation(path, 'TRUNCATED', `it has ${size} bytes`);
  const prefix = new Uint8Array(LENGTH_BYTES);
  await readFully(file, path, prefix, 0, 'ERR_SAFETENSORS_TRUNCATED');
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(LONGEST_HEADER)) {
    throw violation(path, 'HEADER_LENGTH', `its header has ${length} bytes; at most ${LONGEST_HEADER} are read`);
  }
  if (length > BigInt(size - LENGTH_BYTES)) {
    throw violation(path, 'HEADER_LENGTH', `its header has ${length} bytes but ${size - LENGTH_BYTES} follow`);
  }
  const bytes = new Uint8Array(Number(length));
  await readFully(file, path, bytes, LENGTH_BYTES, 'ERR_SAFETENSORS_TRUNCATED');
  const json = parsedHeader(path, bytes);
  const { [METADATA]: metadata, ...entries } = json;
  const tensors = new Map(
    Object.entries(entries).map(([name, entry]) => [
      name,
      checkedEntry(path, name, entry, LENGTH_BYTES + bytes.length, size),
    ]),
  );
  checkLayout(path, tensors, LENGTH_BYTES + bytes.length, size);
  return { metadata: checkedMetadata(path, metadata), tensors };
}

function parsedHeader(path: string, bytes: Uint8Array): JsonObject {
  let value: JsonValue;
  try {
    value = parseStrictJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    const kind = cause instanceof JsonSyntaxError && cause.kind === 'duplicate key' ? 'DUPLICATE_KEY' : 'HEADER_JSON';
    throw violation(path, kind, `in its header, ${(cause as Error).message}`, cause);
  }
  // The format lets no white space come before the header's brace.
  if (!isJsonObject(value) || bytes[0] !== '{'.charCodeAt(0)) {
    throw violation(path, 'HEADER_JSON', 'its header is no object');
  }
  return value;
}

function checkedMetadata(path: string, metadata: JsonValue | undefined): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isJsonObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw violation(path, 'METADATA', `${METADATA} is no object of strings`);
  }
  return metadata as Record<string, string>;
}

function checkedEntry(path: string, name: string, entry: JsonValue, dataBegin: number, size: number): TensorEntry {
  const label = JSON.stringify(name);
  if (!isJsonObject(entry) || Object.keys(entry).sort().join() !== 'data_offsets,dtype,shape') {
    throw violation(path, 'ENTRY', `${label} must have exactly dtype, shape and data_offsets`);
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) {
    throw violation(path, 'DTYPE', `${label} is of the unknown type ${JSON.stringify(dtype)}`);
  }
  if (!isSizes(shape)) throw violation(path, 'SHAPE', `the shape of ${label} is no array of sizes`);
  const bytes = shape.reduce((product, extent) => product * extent, bytesOf[dtype] as number);
  if (!Number.isSafeInteger(bytes)) throw violation(path, 'SHAPE', `the shape of ${label} overflows`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw violation(path, 'OFFSETS', `data_offsets of ${label} are no pair of offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw violation(path, 'OFFSETS', `${label} ends at ${end} before it begins at ${begin}`);
  if (dataBegin + end > size) {
    throw violation(path, 'OFFSET_BOUNDS', `${label} ends at ${end} but there are ${size - dataBegin} bytes of data`);
  }
  if (end - begin !== bytes) {
    throw violation(
      path,
      'SIZE_MISMATCH',
      `${label} of shape [${shape.join(', ')}] has ${end - begin} bytes instead of ${bytes}`,
    );
  }
  return { dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

function isSizes(value: JsonValue | undefined): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}

/** Every byte of data belongs to exactly one array. */
function checkLayout(path: string, tensors: ReadonlyMap<string, TensorEntry>, dataBegin: number, size: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let reached = dataBegin;
  for (const [name, { begin, end }] of inOrder) {
    if (begin < reached)
      throw violation(path, 'OFFSET_OVERLAP', `${JSON.stringify(name)} overlaps the array before it`);
    if (begin > reached) {
      throw violation(path, 'OFFSET_GAP', `${begin - reached} bytes before ${JSON.stringify(name)} belong to no array`);
    }
    reached = end;
  }
  if (reached !== size) throw violation(path, 'TRAILING_BYTES', `${size - reached} bytes follow the last array`);
}

/** The bytes of a file, in pieces that are not copied: write them one after the other. */
export function safetensorsBytes(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: Record<string, unknown> = { [METADATA]: metadata };
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { data, shape }] of tensors) {
    header[name] = {
      dtype: data instanceof Float32Array ? 'F32' : 'I32',
      shape,
      data_offsets: [offset, offset + data.byteLength],
    };
    pieces.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  let json = Buffer.from(JSON.stringify(header));
  // Spaces after the header let the arrays begin at a multiple of 8.
  const padding = (8 - (json.length % 8)) % 8;
  json = Buffer.concat([json, Buffer.alloc(padding, ' ')]);
  const prefix = Buffer.alloc(LENGTH_BYTES);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return [prefix, json, ...pieces];
}
