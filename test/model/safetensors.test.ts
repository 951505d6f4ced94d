import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileAccessError, InvalidFileError, type Tensor } from '../../src/index.js';
import { readSafetensors, readSafetensorsHeader, safetensorsBytes } from '../../src/model/checkpoint/safetensors.js';
import { temporaryFolder } from '../temporary-folder.js';

const folder = temporaryFolder();
let files = 0;

function file(...pieces: (string | Uint8Array)[]): string {
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, Buffer.concat(pieces.map((piece) => Buffer.from(piece as string))));
  return path;
}

function lengthOf(header: string | number | bigint): Uint8Array {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(typeof header === 'string' ? Buffer.byteLength(header) : header));
  return prefix;
}

/** A file with this header and so many bytes of data. */
function withHeader(header: unknown, dataBytes: number): string {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  return file(lengthOf(json), json, new Uint8Array(dataBytes));
}

const entry = (shape: unknown, begin: unknown, end: unknown, dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('a file that is written and read', () => {
  const tensors = new Map<string, Tensor>([
    [
      'dense/kernel',
      { data: new Float32Array([1.5, -2, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 0]), shape: [2, 3] },
    ],
    ['ids', { data: new Int32Array([2 ** 31 - 1, -1]), shape: [2] }],
    ['nothing', { data: new Float32Array(0), shape: [0, 4] }],
    ['naïve "name"', { data: new Float32Array([7]), shape: [] }],
  ]);

  test('is the same, bit for bit', async () => {
    const read = await readSafetensors(file(...safetensorsBytes(tensors, { iterations: '12' })));
    expect(read.metadata).toEqual({ iterations: '12' });
    expect([...read.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, { data, shape }] of tensors) {
      expect(read.tensors.get(name)?.shape).toEqual(shape);
      const again = read.tensors.get(name)?.data;
      expect(again?.constructor).toBe(data.constructor);
      expect(Buffer.from(again?.buffer as ArrayBuffer)).toEqual(Buffer.from(data.buffer as ArrayBuffer));
    }
  });

  test('begins its data at a multiple of 8 bytes', () => {
    for (const name of ['a', 'ab', 'abc', 'abcd']) {
      const [prefix, json] = safetensorsBytes(new Map([[name, { data: new Float32Array(1), shape: [1] }]]));
      expect(((prefix?.length ?? 0) + (json?.length ?? 0)) % 8).toBe(0);
    }
  });

  test('a view of a larger buffer is written as the view', async () => {
    const data = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    const read = await readSafetensors(file(...safetensorsBytes(new Map([['a', { data, shape: [2] }]]))));
    expect(read.tensors.get('a')?.data).toEqual(new Float32Array([2, 3]));
  });
});

describe('hostile files', () => {
  const duplicate =
    '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const attacks: [attack: string, path: () => string, code: string][] = [
    ['an empty file', () => file(), 'TRUNCATED'],
    ['a file of 7 bytes', () => file(new Uint8Array(7)), 'TRUNCATED'],
    ['a header longer than the file', () => file(lengthOf(1000), '{}'), 'HEADER_LENGTH'],
    ['a header of 2^64 - 1 bytes', () => file(lengthOf(2n ** 64n - 1n), '{}'), 'HEADER_LENGTH'],
    ['a header above 100 MB', () => file(lengthOf(100_000_001), '{}'), 'HEADER_LENGTH'],
    ['no JSON', () => withHeader('{"a":', 0), 'HEADER_JSON'],
    ['an empty header', () => withHeader('', 0), 'HEADER_JSON'],
    ['a header that is an array', () => withHeader('[]', 0), 'HEADER_JSON'],
    ['white space before the header', () => withHeader(' {}', 0), 'HEADER_JSON'],
    ['a header with something after it', () => withHeader('{} {}', 0), 'HEADER_JSON'],
    ['bytes that are no UTF-8', () => file(lengthOf(3), new Uint8Array([0x7b, 0xff, 0x7d])), 'HEADER_JSON'],
    ['a byte order mark', () => withHeader('\uFEFF{}', 0), 'HEADER_JSON'],
    ['nesting that would exhaust the stack', () => withHeader(deep, 0), 'HEADER_JSON'],
    ['a name that stands twice', () => withHeader(duplicate, 4), 'DUPLICATE_KEY'],
    ['metadata that are no strings', () => withHeader({ __metadata__: { a: 1 } }, 0), 'METADATA'],
    ['metadata that are an array', () => withHeader({ __metadata__: [] }, 0), 'METADATA'],
    ['an entry that is no object', () => withHeader({ a: 4 }, 0), 'ENTRY'],
    ['an entry without offsets', () => withHeader({ a: { dtype: 'F32', shape: [1] } }, 4), 'ENTRY'],
    ['an entry with more', () => withHeader({ a: { ...entry([1], 0, 4), x: 1 } }, 4), 'ENTRY'],
    ['an unknown type', () => withHeader({ a: entry([1], 0, 4, 'F33') }, 4), 'DTYPE'],
    ['a type from the prototype', () => withHeader({ a: entry([1], 0, 4, 'constructor') }, 4), 'DTYPE'],
    ['a type that is no string', () => withHeader({ a: entry([1], 0, 4, ['F32']) }, 4), 'DTYPE'],
    ['a type this package does not read', () => withHeader({ a: entry([1], 0, 8, 'F64') }, 8), 'DTYPE'],
    ['a negative size', () => withHeader({ a: entry([-1], 0, 4) }, 4), 'SHAPE'],
    ['a size that is no integer', () => withHeader({ a: entry([1.5], 0, 4) }, 4), 'SHAPE'],
    ['a shape that is no array', () => withHeader({ a: entry('1', 0, 4) }, 4), 'SHAPE'],
    ['a shape whose product overflows', () => withHeader({ a: entry([2 ** 31, 2 ** 31, 4], 0, 4) }, 4), 'SHAPE'],
    ['a size of 1e400', () => withHeader('{"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,4]}}', 4), 'SHAPE'],
    ['offsets the wrong way round', () => withHeader({ a: entry([1], 8, 4) }, 8), 'OFFSETS'],
    ['three offsets', () => withHeader({ a: { ...entry([1], 0, 4), data_offsets: [0, 4, 8] } }, 8), 'OFFSETS'],
    ['a negative offset', () => withHeader({ a: entry([2], -4, 4) }, 8), 'OFFSETS'],
    ['offsets beyond the file', () => withHeader({ a: entry([4], 0, 16) }, 8), 'OFFSET_BOUNDS'],
    ['offsets near 2^53', () => withHeader({ a: entry([1], 2 ** 53 - 9, 2 ** 53 - 5) }, 4), 'OFFSET_BOUNDS'],
    ['a size that is not that of the offsets', () => withHeader({ a: entry([2], 0, 4) }, 4), 'SIZE_MISMATCH'],
    ['arrays that overlap', () => withHeader({ a: entry([2], 0, 8), b: entry([2], 4, 12) }, 12), 'OFFSET_OVERLAP'],
    ['two arrays in one place', () => withHeader({ a: entry([1], 0, 4), b: entry([1], 0, 4) }, 4), 'OFFSET_OVERLAP'],
    ['a gap between arrays', () => withHeader({ a: entry([1], 0, 4), b: entry([1], 8, 12) }, 12), 'OFFSET_GAP'],
    ['a gap before the first', () => withHeader({ a: entry([1], 4, 8) }, 8), 'OFFSET_GAP'],
    ['bytes after the last array', () => withHeader({ a: entry([1], 0, 4) }, 5), 'TRAILING_BYTES'],
    ['data cut off', () => withHeader({ a: entry([2], 0, 8) }, 7), 'OFFSET_BOUNDS'],
  ];
  test.each(attacks)('%s', async (_, path, code) => {
    const error = await readSafetensors(path()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidFileError);
    expect((error as InvalidFileError).code).toBe(`ERR_SAFETENSORS_${code}`);
  });

  test('a name from the prototype is a name like any other', async () => {
    const header = '{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    const { tensors } = await readSafetensorsHeader(withHeader(header, 4));
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  test('a file that is missing, and a folder', async () => {
    await expect(readSafetensors(join(folder, 'none'))).rejects.toBeInstanceOf(FileAccessError);
    await expect(readSafetensors(folder)).rejects.toBeInstanceOf(FileAccessError);
  });
});
