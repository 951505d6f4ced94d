import { InvalidArgumentError, InvalidDataError } from './errors.js';
import { expectation } from './expectation.js';

/** Numbers of one type in row-major order: entry `[i, j]` of shape `[N, M]` lies at `data[i * M + j]`. */
export interface Tensor {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

export interface Float32Tensor extends Tensor {
  readonly data: Float32Array;
}

export interface Int32Tensor extends Tensor {
  readonly data: Int32Array;
}

/** Arrays of numbers, nested to any depth, as long as all arrays of one depth have one length. */
export type NestedArray = readonly number[] | Float32Array | Int32Array | readonly NestedArray[];

/** What every function of this package takes where it wants a tensor. */
export type TensorLike = Tensor | NestedArray;

export type DataType = 'float32' | 'int32';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/**
 * `value` as a tensor of `dataType`. A tensor or typed array that has this type already is taken without a copy; nested
 * arrays and the other type are converted. `name` is the caller's word for the value in messages.
 *
 * NaN and infinities are numbers here; who wants finite numbers checks for them.
 *
 * @throws InvalidDataError naming the position of the first entry that is no number, of the first array whose length
 *   differs from its siblings', and, for `'int32'`, of the first number that is no 32-bit integer; or a shape that does
 *   not fit the data.
 * @throws InvalidArgumentError if `value` is neither an array nor a tensor.
 */
export function toTensor(value: TensorLike, dataType: 'float32', name: string): Float32Tensor;
export function toTensor(value: TensorLike, dataType: 'int32', name: string): Int32Tensor;
export function toTensor(value: TensorLike, dataType: DataType, name: string): Tensor;
export function toTensor(value: TensorLike, dataType: DataType, name: string): Tensor {
  if (isTypedArray(value)) return withType({ data: value, shape: [value.length] }, dataType, name);
  if (Array.isArray(value)) return fromNestedArray(value, dataType, name);
  if (isTensor(value)) {
    checkShape(value, name);
    return withType(value, dataType, name);
  }
  throw new InvalidArgumentError(expectation('a tensor or an array of numbers', name, value));
}

/**
 * The rows of `tensor` that `rows` names, in that order, as a new tensor: shape `[N, ...]` becomes `[rows.length, ...]`.
 *
 * @throws InvalidArgumentError for what is no tensor or no array of rows, and for a row that does not exist.
 */
export function takeRows<T extends Tensor>(tensor: T, rows: Int32Array | readonly number[]): T {
  if (!isTensor(tensor)) throw new InvalidArgumentError(expectation('a tensor { data, shape }', 'tensor', tensor));
  if (!Array.isArray(rows) && !(rows instanceof Int32Array)) {
    throw new InvalidArgumentError(expectation('an array of row numbers', 'rows', rows));
  }
  const [rowCount = 0, ...rowShape] = tensor.shape;
  const rowLength = rowShape.reduce((product, extent) => product * extent, 1);
  const data = arrayOf(tensor.data instanceof Int32Array ? 'int32' : 'float32', rows.length * rowLength);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (!Number.isInteger(row) || row < 0 || row >= rowCount) {
      throw new InvalidArgumentError(expectation(`a row number below ${rowCount}`, `rows[${i}]`, row));
    }
    data.set(tensor.data.subarray(row * rowLength, (row + 1) * rowLength), i * rowLength);
  }
  return { ...tensor, data, shape: [rows.length, ...rowShape] };
}

export function isTensor(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null) return false;
  const { data, shape } = value as { data?: unknown; shape?: unknown };
  return isTypedArray(data) && Array.isArray(shape);
}

export function isTypedArray(value: unknown): value is Float32Array | Int32Array {
  return value instanceof Float32Array || value instanceof Int32Array;
}

function arrayOf(dataType: DataType, length: number): Float32Array | Int32Array {
  return dataType === 'int32' ? new Int32Array(length) : new Float32Array(length);
}

function checkShape({ data, shape }: Tensor, name: string): void {
  let size = 1;
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0) {
      throw new InvalidDataError(expectation('an array of sizes', `the shape of ${name}`, shape));
    }
    size *= extent;
  }
  if (size !== data.length) {
    throw new InvalidDataError(
      `Expected ${size} numbers for ${name} of shape [${shape.join(', ')}] but received ${data.length}`,
    );
  }
}

function withType(tensor: Tensor, dataType: DataType, name: string): Tensor {
  if (dataType === 'float32') {
    return tensor.data instanceof Float32Array ? tensor : { data: new Float32Array(tensor.data), shape: tensor.shape };
  }
  if (tensor.data instanceof Int32Array) return tensor;
  const { data, shape } = tensor;
  const converted = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const number = data[i] as number;
    if (!isInt32(number)) throw noInt32(number, name, positionOf(i, shape));
    converted[i] = number;
  }
  return { data: converted, shape };
}

function isInt32(number: number): boolean {
  return Number.isInteger(number) && number >= INT32_MIN && number <= INT32_MAX;
}

function noInt32(received: unknown, name: string, position: readonly number[]): InvalidDataError {
  return new InvalidDataError(expectation('a 32-bit integer', entry(name, position), received));
}

function entry(name: string, position: readonly number[]): string {
  return name + position.map((index) => `[${index}]`).join('');
}

function positionOf(offset: number, shape: readonly number[]): number[] {
  const position = new Array<number>(shape.length);
  let rest = offset;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    position[axis] = rest % extent;
    rest = Math.floor(rest / extent);
  }
  return position;
}

function fromNestedArray(value: readonly unknown[], dataType: DataType, name: string): Tensor {
  const shape = shapeOfFirst(value);
  const data = arrayOf(
    dataType,
    shape.reduce((product, extent) => product * extent, 1),
  );
  const position: number[] = [];
  let filled = 0;

  function copyNumbers(array: readonly unknown[] | Float32Array | Int32Array): void {
    for (let i = 0; i < array.length; i++) {
      const number = array[i];
      if (typeof number !== 'number') {
        if (Array.isArray(number) || isTypedArray(number)) throw tooDeep(entry(name, [...position, i]), shape);
        throw new InvalidDataError(expectation('a number', entry(name, [...position, i]), number));
      }
      if (dataType === 'int32' && !isInt32(number)) throw noInt32(number, name, [...position, i]);
      data[filled++] = number;
    }
  }

  function copy(array: unknown): void {
    const axis = position.length;
    if (!Array.isArray(array) && !isTypedArray(array)) {
      throw new InvalidDataError(expectation(`an array of ${shape[axis]} entries`, entry(name, position), array));
    }
    if (array.length !== shape[axis]) {
      const first = position.map(() => 0);
      throw new InvalidDataError(
        `Expected ${shape[axis]} entries for ${entry(name, position)}, as in ${entry(name, first)}, but received ${array.length}`,
      );
    }
    if (axis === shape.length - 1) {
      copyNumbers(array);
      return;
    }
    for (let i = 0; i < array.length; i++) {
      position.push(i);
      copy(array[i]);
      position.pop();
    }
  }

  copy(value);
  return { data, shape };
}

function tooDeep(where: string, shape: readonly number[]): InvalidDataError {
  return new InvalidDataError(
    `Expected a number for ${where} but received an array (the rest has ${shape.length} axes)`,
  );
}

// Arrays nested deeper than this are a cycle or a mistake; every shape of this package has four axes or fewer.
const DEEPEST = 16;

/** The lengths along the first entries; `copy` compares all others with them. */
function shapeOfFirst(value: readonly unknown[]): number[] {
  const shape: number[] = [];
  let inner: unknown = value;
  while (Array.isArray(inner) || isTypedArray(inner)) {
    if (shape.length === DEEPEST)
      throw new InvalidDataError(`Expected at most ${DEEPEST} nested arrays but received more`);
    shape.push(inner.length);
    inner = inner[0];
  }
  return shape;
}
