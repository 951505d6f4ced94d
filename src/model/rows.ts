/**
 * Data of the caller as rows that can be read by slices: tensors as they lie, nested arrays converted slice by slice, so
 * that data of any size never holds up the event loop for long.
 */

import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { expectation } from '../expectation.js';
import { type DataType, isTensor, isTypedArray, type TensorLike } from '../tensor.js';

export type TypedRows = Int32Array | Float32Array;

export interface Rows {
  readonly count: number;
  /** Numbers of a row. */
  readonly width: number;
  /**
   * Rows [begin, end), valid until the next call.
   *
   * @throws InvalidDataError for what is no number, no integer where integers are due, or a row of another shape.
   */
  read(begin: number, end: number): TypedRows;
}

/**
 * `value` as rows of one of `rowShapes`, all of which have the same number of elements.
 *
 * @param name the caller's word for it, "x" or "y"
 * @throws InvalidDataError where the shape is another or there is no row at all.
 * @throws InvalidArgumentError for what is neither a tensor nor an array.
 */
export function rowsOf(
  value: TensorLike,
  rowShapes: readonly (readonly number[])[],
  dataType: DataType,
  name: string,
): Rows {
  const shape = shapeOf(value, name);
  const [count = 0, ...rowShape] = shape;
  if (shape.length === 0 || count === 0)
    throw new InvalidDataError(`Expected one row or more for ${name} but received none`);
  if (!rowShapes.some((candidate) => sameShape(candidate, rowShape))) {
    const usual = ['N', ...(rowShapes[0] ?? [])].join(', ');
    throw new InvalidDataError(`Expected shape [${usual}] for ${name} but received shape [${shape.join(', ')}]`);
  }
  const width = rowShape.reduce((product, size) => product * size, 1);
  if (Array.isArray(value)) return new NestedRows(value, count, rowShape, dataType, name);
  return new TensorRows(
    isTypedArray(value) ? value : (value as { data: TypedRows }).data,
    count,
    width,
    dataType,
    name,
  );
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

// Deeper than any data of a model.
const DEEPEST = 8;

/** The shape, for nested arrays along their first entries; the rest is compared with these when it is read. */
function shapeOf(value: unknown, name: string): readonly number[] {
  if (isTypedArray(value)) return [value.length];
  if (isTensor(value)) {
    const { data, shape } = value;
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
      throw new InvalidDataError(expectation('an array of sizes', `the shape of ${name}`, shape));
    }
    if (size !== data.length) {
      throw new InvalidDataError(
        `Expected ${size} numbers for ${name} of shape [${shape.join(', ')}] but received ${data.length}`,
      );
    }
    return shape;
  }
  if (!Array.isArray(value)) {
    throw new InvalidArgumentError(
      expectation('a tensor { data: Int32Array or Float32Array, shape } or an array of numbers', name, value),
    );
  }
  const shape: number[] = [];
  for (let inner: unknown = value; Array.isArray(inner) || isTypedArray(inner); inner = inner[0]) {
    if (shape.length === DEEPEST) {
      throw new InvalidDataError(`Expected at most ${DEEPEST} nested arrays for ${name} but received more`);
    }
    shape.push(inner.length);
  }
  return shape;
}

function staging(dataType: DataType, length: number): TypedRows {
  return dataType === 'int32' ? new Int32Array(length) : new Float32Array(length);
}

class TensorRows implements Rows {
  readonly count: number;
  readonly width: number;
  readonly #data: TypedRows;
  readonly #dataType: DataType;
  readonly #name: string;

  constructor(data: TypedRows, count: number, width: number, dataType: DataType, name: string) {
    this.#data = data;
    this.count = count;
    this.width = width;
    this.#dataType = dataType;
    this.#name = name;
  }

  read(begin: number, end: number): TypedRows {
    const data = this.#data;
    // Between two slices the caller may have transferred the buffer away or shrunk it.
    if (data.length !== this.count * this.width) {
      throw new InvalidDataError(`Expected ${this.#name} to stay as it is while it is read but its buffer is gone`);
    }
    const slice = data.subarray(begin * this.width, end * this.width);
    const isInt32 = slice instanceof Int32Array;
    if (isInt32 === (this.#dataType === 'int32')) {
      // Another thread may write to shared memory between the engine's check and its copy.
      return slice.buffer instanceof ArrayBuffer ? slice : slice.slice();
    }
    const converted = staging(this.#dataType, slice.length);
    for (let i = 0; i < slice.length; i++) {
      const number = slice[i] as number;
      if (!isInt32 && (number | 0) !== number) {
        throw noInteger(
          number,
          `${this.#name} at row ${begin + Math.floor(i / this.width)}, position ${i % this.width}`,
        );
      }
      converted[i] = number;
    }
    return converted;
  }
}

function noInteger(received: unknown, where: string): InvalidDataError {
  return new InvalidDataError(expectation('a 32-bit integer', where, received));
}

class NestedRows implements Rows {
  readonly count: number;
  readonly width: number;
  readonly #rows: readonly unknown[];
  readonly #rowShape: readonly number[];
  readonly #dataType: DataType;
  readonly #name: string;
  #staging: TypedRows;

  constructor(rows: readonly unknown[], count: number, rowShape: readonly number[], dataType: DataType, name: string) {
    this.#rows = rows;
    this.count = count;
    this.#rowShape = rowShape;
    this.width = rowShape.reduce((product, size) => product * size, 1);
    this.#dataType = dataType;
    this.#name = name;
    this.#staging = staging(dataType, 0);
  }

  read(begin: number, end: number): TypedRows {
    const size = (end - begin) * this.width;
    if (this.#staging.length < size) this.#staging = staging(this.#dataType, size);
    let filled = 0;
    for (let row = begin; row < end; row++) filled = this.#copy(this.#rows[row], 0, filled, [row]);
    return this.#staging.subarray(0, size);
  }

  /** Copies one entry of depth `axis` of a row, returns how far the staging is filled then. */
  #copy(entry: unknown, axis: number, filled: number, position: readonly number[]): number {
    if (axis === this.#rowShape.length) {
      this.#staging[filled] = this.#checked(entry, position);
      return filled + 1;
    }
    const size = this.#rowShape[axis] as number;
    if (!Array.isArray(entry) && !isTypedArray(entry)) {
      throw new InvalidDataError(expectation(`an array of ${size} entries`, this.#at(position), entry));
    }
    if (entry.length !== size) {
      throw new InvalidDataError(`Expected ${size} entries for ${this.#at(position)} but received ${entry.length}`);
    }
    let next = filled;
    if (axis < this.#rowShape.length - 1) {
      for (let i = 0; i < size; i++) next = this.#copy(entry[i], axis + 1, next, [...position, i]);
      return next;
    }
    const integers = this.#dataType === 'int32';
    for (let i = 0; i < size; i++) {
      const number: unknown = entry[i];
      if (typeof number !== 'number' || (integers && (number | 0) !== number)) this.#checked(number, [...position, i]);
      this.#staging[next++] = number as number;
    }
    return next;
  }

  #checked(value: unknown, position: readonly number[]): number {
    if (typeof value !== 'number') throw new InvalidDataError(expectation('a number', this.#at(position), value));
    if (this.#dataType === 'int32' && (value | 0) !== value) throw noInteger(value, this.#at(position));
    return value;
  }

  #at(position: readonly number[]): string {
    return this.#name + position.map((index) => `[${index}]`).join('');
  }
}
