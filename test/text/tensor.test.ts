import { describe, expect, it } from 'vitest';
import { InvalidArgumentError, InvalidDataError } from '../../src/errors.js';
import { type DataType, type TensorLike, takeRows, toTensor } from '../../src/tensor.js';

describe('toTensor', () => {
  it('reads nested arrays row by row', () => {
    expect(
      toTensor(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        'int32',
        'x',
      ),
    ).toEqual({ data: Int32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
    expect(toTensor([[[0.5], [Number.NaN]]], 'float32', 'x')).toEqual({
      data: Float32Array.of(0.5, Number.NaN),
      shape: [1, 2, 1],
    });
    expect(toTensor([Int32Array.of(1, 2), [3, 4]], 'float32', 'x')).toEqual({
      data: Float32Array.of(1, 2, 3, 4),
      shape: [2, 2],
    });
    expect(toTensor([], 'float32', 'x')).toEqual({ data: new Float32Array(0), shape: [0] });
    expect(toTensor([[], []], 'int32', 'x')).toEqual({ data: new Int32Array(0), shape: [2, 0] });
  });

  it('takes tensors and typed arrays of the wanted type without a copy, and converts the other type', () => {
    const data = Float32Array.of(1, 2);
    expect(toTensor(data, 'float32', 'x').data).toBe(data);
    const tensor = { data, shape: [2, 1] };
    expect(toTensor(tensor, 'float32', 'x')).toBe(tensor);
    expect(toTensor(tensor, 'int32', 'x')).toEqual({ data: Int32Array.of(1, 2), shape: [2, 1] });
    expect(toTensor(Int32Array.of(-1, 7), 'float32', 'y')).toEqual({ data: Float32Array.of(-1, 7), shape: [2] });
  });

  it.each<[unknown, DataType, string]>([
    [[[1, 2], [3]], 'int32', 'Expected 2 entries for x[1], as in x[0], but received 1'],
    [
      [
        [[1], [2]],
        [[3], [4, 5]],
      ],
      'int32',
      'Expected 1 entries for x[1][1], as in x[0][0], but received 2',
    ],
    [
      [
        [1, 2],
        [3, 'a'],
      ],
      'float32',
      'Expected a number for x[1][1] but received "a" of type string',
    ],
    [[1, null], 'float32', 'Expected a number for x[1] but received null'],
    [[1, undefined], 'float32', 'Expected a number for x[1] but received undefined'],
    [[1, [2]], 'float32', 'Expected a number for x[1] but received an array'],
    [[[1], 2], 'float32', 'Expected an array of 1 entries for x[1] but received 2 of type number'],
    [[[1, 2.5]], 'int32', 'Expected a 32-bit integer for x[0][1] but received 2.5 of type number'],
    [[2 ** 31], 'int32', 'Expected a 32-bit integer for x[0] but received 2147483648 of type number'],
    [
      { data: Float32Array.of(1, 2, 3, 4.5), shape: [2, 2] },
      'int32',
      'Expected a 32-bit integer for x[1][1] but received 4.5',
    ],
    [
      { data: Float32Array.of(1, 2, 3), shape: [2, 2] },
      'float32',
      'Expected 4 numbers for x of shape [2, 2] but received 3',
    ],
    [{ data: Float32Array.of(1), shape: [-1, -1] }, 'float32', 'Expected an array of sizes for the shape of x'],
    [{ data: Float32Array.of(1), shape: [0.5, 2] }, 'float32', 'Expected an array of sizes for the shape of x'],
  ])('names the place of what is wrong with %j as %s', (value, dataType, message) => {
    const convert = () => toTensor(value as TensorLike, dataType, 'x');
    expect(convert).toThrow(InvalidDataError);
    expect(convert).toThrow(message);
  });

  it('refuses what is no array, and arrays without end', () => {
    expect(() => toTensor('abc' as unknown as TensorLike, 'float32', 'x')).toThrow(InvalidArgumentError);
    expect(() => toTensor({ data: [1], shape: [1] } as unknown as TensorLike, 'float32', 'x')).toThrow(
      InvalidArgumentError,
    );
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => toTensor(cycle as TensorLike, 'float32', 'x')).toThrow('Expected at most 16 nested arrays');
  });
});

describe('takeRows', () => {
  it('gives the rows asked for, in that order, with the rest of the shape', () => {
    const tensor = toTensor(
      [
        [[1], [2]],
        [[3], [4]],
        [[5], [6]],
      ],
      'int32',
      'x',
    );
    expect(takeRows(tensor, [2, 0, 2])).toEqual({ data: Int32Array.of(5, 6, 1, 2, 5, 6), shape: [3, 2, 1] });
    expect(takeRows(toTensor([7, 8], 'float32', 'y'), Int32Array.of(1))).toEqual({
      data: Float32Array.of(8),
      shape: [1],
    });
    expect(takeRows(tensor, [])).toEqual({ data: new Int32Array(0), shape: [0, 2, 1] });
  });

  it('refuses what is no tensor, and what is no list of rows', () => {
    expect(() => takeRows([[1], [2]] as never, [0])).toThrow(/^Expected a tensor \{ data, shape \} for tensor/);
    expect(() => takeRows(undefined as never, [0])).toThrow(InvalidArgumentError);
    expect(() => takeRows(toTensor([1, 2], 'int32', 'x'), 1 as never)).toThrow(/^Expected an array of row numbers/);
  });

  it('refuses a row that is not there', () => {
    const tensor = toTensor([1, 2], 'int32', 'x');
    expect(() => takeRows(tensor, [0, 2])).toThrow(
      'Expected a row number below 2 for rows[1] but received 2 of type number',
    );
    expect(() => takeRows(tensor, [-1])).toThrow(InvalidArgumentError);
    expect(() => takeRows(tensor, [0.5])).toThrow(InvalidArgumentError);
  });
});
