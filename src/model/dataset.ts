/** Rows into the engine's memory, slice by slice, with the position of the first that cannot be taken. */

import { setImmediate } from 'node:timers/promises';
import { InvalidDataError } from '../errors.js';
import type { NativeAddon, NativeDataset } from '../native.js';
import type { TensorLike } from '../tensor.js';
import type { Architecture } from './architecture.js';
import type { TargetForm } from './losses.js';
import { type Rows, rowsOf, type TypedRows } from './rows.js';

// Elements handed over between two turns of the event loop: well below a millisecond to check and copy, a few for
// nested arrays.
const SLICE_ELEMENTS = 262_144;

export interface Loaded {
  readonly data: NativeDataset;
  readonly rows: number;
}

/**
 * Inputs, and targets where there are any, as a data set of the engine. They are copied: what the caller does with the
 * arrays later, even handing their buffers to another thread, cannot harm a run.
 *
 * @param names the caller's words for the two
 * @throws InvalidDataError naming what is wrong, with row and position or column.
 * @throws OutOfMemoryError where the memory cannot be had.
 */
export async function loadDataset(
  addon: NativeAddon,
  architecture: Architecture,
  x: TensorLike,
  targets: { readonly y: TensorLike; readonly form: TargetForm } | null,
  signal?: AbortSignal,
  names: readonly [string, string] = ['x', 'y'],
): Promise<Loaded> {
  const { inputShape, vocabulary } = architecture;
  const inputs = rowsOf(x, [inputShape], vocabulary > 0 ? 'int32' : 'float32', names[0]);
  const form = targets?.form;
  const outputs = targets === null ? null : rowsOf(targets.y, targets.form.rowShapes, targets.form.dataType, names[1]);
  if (outputs !== null && outputs.count !== inputs.count) {
    throw new InvalidDataError(
      `Expected as many rows of ${names[1]} as of ${names[0]} but received ${outputs.count} and ${inputs.count}`,
    );
  }
  const data = addon.createDataset({
    rows: inputs.count,
    inputWidth: inputs.width,
    vocabulary,
    targetWidth: form?.width ?? 0,
    classes: form?.classes ?? 0,
  });
  try {
    await append(inputs, signal, (values, begin) => {
      const bad = data.appendInputs(values);
      if (bad >= 0) throw badInput(values[bad] as number, begin * inputs.width + bad, inputShape, vocabulary, names[0]);
    });
    if (outputs !== null && form !== undefined) {
      await append(outputs, signal, (values, begin) => {
        const outside = form.range === null ? -1 : indexOutside(values, form.range);
        const bad = outside >= 0 ? outside : data.appendTargets(values);
        if (bad >= 0) throw badTarget(values[bad] as number, begin * outputs.width + bad, form, names[1]);
      });
    }
  } catch (error) {
    data.dispose();
    throw error;
  }
  return { data, rows: inputs.count };
}

async function append(
  rows: Rows,
  signal: AbortSignal | undefined,
  take: (values: TypedRows, begin: number) => void,
): Promise<void> {
  const step = Math.max(1, Math.floor(SLICE_ELEMENTS / rows.width));
  for (let begin = 0; begin < rows.count; begin += step) {
    signal?.throwIfAborted();
    take(rows.read(begin, Math.min(rows.count, begin + step)), begin);
    if (begin + step < rows.count) await setImmediate();
  }
}

function indexOutside(values: TypedRows, [low, high]: readonly [number, number]): number {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(value >= low && value <= high)) return i;
  }
  return -1;
}

function badInput(
  value: number,
  index: number,
  rowShape: readonly number[],
  vocabulary: number,
  name: string,
): InvalidDataError {
  const width = rowShape.reduce((product, size) => product * size, 1);
  const row = Math.floor(index / width);
  const rest = index % width;
  if (vocabulary > 0) {
    return new InvalidDataError(
      `token id ${value} at row ${row}, position ${rest} of ${name} is outside [0, ${vocabulary})`,
    );
  }
  const columns = rowShape.at(-1) as number;
  const place =
    rowShape.length === 1 ? `column ${rest}` : `step ${Math.floor(rest / columns)}, column ${rest % columns}`;
  return new InvalidDataError(`${value} at row ${row}, ${place} of ${name} is not a finite number`);
}

function badTarget(
  value: number,
  index: number,
  { classes, width, range }: TargetForm,
  name: string,
): InvalidDataError {
  const row = Math.floor(index / width);
  if (classes > 0) return new InvalidDataError(`class ${value} at row ${row} of ${name} is outside [0, ${classes})`);
  const place = width === 1 ? `row ${row}` : `row ${row}, column ${index % width}`;
  const complaint =
    range === null || !Number.isFinite(value) ? 'is not a finite number' : `is outside [${range[0]}, ${range[1]}]`;
  return new InvalidDataError(`${value} at ${place} of ${name} ${complaint}`);
}
