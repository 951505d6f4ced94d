import { checkedOptions, choice, nonEmptyString } from '../arguments.js';
import { InvalidFileError, OutOfMemoryError } from '../errors.js';
import type { DataType, Float32Tensor, Int32Tensor, Tensor } from '../tensor.js';
import { byteStream } from '../text/byte-stream.js';
import { ChunkReader } from '../text/chunk-reader.js';
import { checkedLimits, type ReadLimits } from '../text/limits.js';

export interface ReadIdxOptions {
  /** What the numbers become: by default `'int32'` for whole numbers and `'float32'` for others. */
  dataType?: DataType | undefined;
  limits?: ReadLimits | undefined;
  /** Rejects the promise with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** How numbers of one type lie in the file, big end first. */
interface NumberType {
  readonly bytes: number;
  readonly whole: boolean;
  readonly read: (bytes: DataView, offset: number) => number;
}

// By the third byte of the file, as http://yann.lecun.com/exdb/mnist lists them.
const numberTypes: Readonly<Record<number, NumberType>> = {
  8: { bytes: 1, whole: true, read: (bytes, offset) => bytes.getUint8(offset) },
  9: { bytes: 1, whole: true, read: (bytes, offset) => bytes.getInt8(offset) },
  11: { bytes: 2, whole: true, read: (bytes, offset) => bytes.getInt16(offset) },
  12: { bytes: 4, whole: true, read: (bytes, offset) => bytes.getInt32(offset) },
  13: { bytes: 4, whole: false, read: (bytes, offset) => bytes.getFloat32(offset) },
  14: { bytes: 8, whole: false, read: (bytes, offset) => bytes.getFloat64(offset) },
};

/**
 * The array in a file of the idx format, MNIST's, packed with gzip or not: two zero bytes, one for the type, one for the
 * number of dimensions, the dimensions as 32-bit integers, then the numbers, row-major, all with the big end first.
 * 64-bit floats are rounded to 32 bits, and with `dataType: 'int32'` fractions are cut off.
 *
 * @throws InvalidArgumentError for unusable options; FileAccessError if the file cannot be read.
 * @throws InvalidFileError with the code `ERR_IDX_MAGIC` (not an idx file), `ERR_IDX_TYPE` (an unknown type of
 *   numbers), `ERR_IDX_SHAPE` (no dimension, or an empty one), `ERR_IDX_TRUNCATED`, `ERR_IDX_TRAILING` (more bytes than
 *   the dimensions ask for), `ERR_LIMIT_BYTES`, `ERR_LIMIT_RATIO` or those of gzip.
 * @throws OutOfMemoryError if the numbers do not fit into memory.
 */
export function readIdx(path: string, options: ReadIdxOptions & { dataType: 'int32' }): Promise<Int32Tensor>;
export function readIdx(path: string, options: ReadIdxOptions & { dataType: 'float32' }): Promise<Float32Tensor>;
export function readIdx(path: string, options?: ReadIdxOptions): Promise<Tensor>;
export async function readIdx(path: string, options: ReadIdxOptions = {}): Promise<Tensor> {
  nonEmptyString(path, 'path');
  const given = checkedOptions(options, ['dataType', 'limits', 'signal'], 'readIdx');
  const limits = checkedLimits(given.limits);
  const asked = given.dataType === undefined ? undefined : choice(given.dataType, 'dataType', ['float32', 'int32']);
  const reader = new ChunkReader(byteStream(path, limits, given.signal));
  try {
    const { type, shape } = await readHeader(reader, path);
    const count = shape.reduce((product, size) => product * size, 1);
    if (count * type.bytes > limits.totalBytes) {
      throw new InvalidFileError(
        'ERR_LIMIT_BYTES',
        `${path} says that it holds ${count * type.bytes} bytes of numbers, more than limits.totalBytes allows (${limits.totalBytes})`,
      );
    }
    const numbers = new GrowingArray(asked ?? (type.whole ? 'int32' : 'float32'), count, path);
    await readNumbers(reader, type, count, numbers, path);
    if ((await reader.take(1)).length > 0) {
      throw violation('TRAILING', `${path} goes on after the ${count} numbers of its shape [${shape.join(', ')}]`);
    }
    return { data: numbers.all(), shape };
  } finally {
    await reader.close();
  }
}

function violation(kind: string, message: string): InvalidFileError {
  return new InvalidFileError(`ERR_IDX_${kind}`, message);
}

async function readHeader(reader: ChunkReader, path: string): Promise<{ type: NumberType; shape: number[] }> {
  const magic = await reader.take(4);
  const [zero, alsoZero, code = 0, dimensions = 0] = magic;
  if (magic.length < 4 || zero !== 0 || alsoZero !== 0) {
    const bytes = magic.toString('hex').replace(/(..)(?=.)/g, '$1 ');
    throw violation('MAGIC', `${path} is no idx file: it begins with the bytes "${bytes}" in place of "00 00"`);
  }
  const type = numberTypes[code];
  if (type === undefined) {
    throw violation('TYPE', `${path} holds numbers of the type ${code}; the types of idx are 8, 9, 11, 12, 13 and 14`);
  }
  const sizes = await reader.take(4 * dimensions);
  if (sizes.length < 4 * dimensions) throw violation('TRUNCATED', `${path} ends within its ${dimensions} dimensions`);
  const shape = Array.from({ length: dimensions }, (_, i) => sizes.readUInt32BE(4 * i));
  if (shape.length === 0 || shape.includes(0)) {
    throw violation('SHAPE', `Expected dimensions of at least 1 but ${path} has the shape [${shape.join(', ')}]`);
  }
  return { type, shape };
}

// Numbers read at a time: 64 KiB of bytes, so that they mostly lie in one piece of the file.
const STRETCH = 65536;

async function readNumbers(
  reader: ChunkReader,
  { bytes: width, read }: NumberType,
  count: number,
  numbers: GrowingArray,
  path: string,
): Promise<void> {
  for (let done = 0; done < count; ) {
    const wanted = Math.min(count - done, STRETCH / width);
    const bytes = await reader.take(wanted * width);
    if (bytes.length < wanted * width) {
      const present = done + Math.floor(bytes.length / width);
      throw violation('TRUNCATED', `${path} ends after ${present} of its ${count} numbers`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const target = numbers.room(wanted);
    for (let i = 0; i < wanted; i++) target[i] = read(view, i * width);
    done += wanted;
  }
}

/** Takes no more memory than twice what has arrived: a header is not trusted with gigabytes. */
class GrowingArray {
  readonly #make: (count: number) => Float32Array | Int32Array;
  readonly #most: number;
  #data: Float32Array | Int32Array;
  #filled = 0;

  constructor(dataType: DataType, most: number, path: string) {
    this.#make = (count) => {
      try {
        return dataType === 'int32' ? new Int32Array(count) : new Float32Array(count);
      } catch (cause) {
        throw new OutOfMemoryError(`Cannot get ${count * 4} bytes for the numbers of ${path}`, { cause });
      }
    };
    this.#most = most;
    this.#data = this.#make(Math.min(most, STRETCH));
  }

  /** The next `count` places. */
  room(count: number): Float32Array | Int32Array {
    const end = this.#filled + count;
    if (end > this.#data.length) {
      const larger = this.#make(Math.min(this.#most, Math.max(end, 2 * this.#data.length)));
      larger.set(this.#data);
      this.#data = larger;
    }
    const room = this.#data.subarray(this.#filled, end);
    this.#filled = end;
    return room;
  }

  all(): Float32Array | Int32Array {
    return this.#data;
  }
}
