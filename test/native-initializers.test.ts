import { describe, expect, it } from 'vitest';
import { InvalidArgumentError, InvalidModelError, OutOfMemoryError } from '../src/errors.js';
import { loadNative } from '../src/load-native.js';
import type { NativeDrawnBlocks, NativeModelSpec } from '../src/native.js';
import { rowModel } from './native-models.js';

const native = loadNative();

/** A model whose first matrix is made of the drawn blocks. */
function withDraws(drawn: unknown): NativeModelSpec {
  const spec = rowModel();
  const [first, ...rest] = spec.layers;
  const [kernel, ...others] = first?.parameters ?? [];
  const initializer = { kind: 'glorotUniform', drawn };
  return {
    ...spec,
    layers: [{ ...first, parameters: [{ ...kernel, initializer }, ...others] }, ...rest],
  } as NativeModelSpec;
}

const make = (drawn: unknown) => () =>
  native.createModel(withDraws(drawn), { device: 'cpu', threads: 1, precision: 'float32', seed: 0 }).dispose();

describe('initial weights out of draws', () => {
  const [, columns = 0] = rowModel().layers[0]?.parameters[0]?.shape ?? [];
  const whole: NativeDrawnBlocks = { columns, blocks: [{ draw: 0, column: 0 }], asRows: false, ofEarlier: 0 };

  it('are taken where they lie within their draws', () => {
    expect(make(whole)).not.toThrow();
    expect(make({ ...whole, columns: columns + 5, blocks: [{ draw: 3, column: 5 }] })).not.toThrow();
  });

  it.each<[string, object]>([
    ['begin beyond the draw', { blocks: [{ draw: 0, column: 1 }] }],
    ['do not fill the array', { blocks: Array(columns + 1).fill({ draw: 0, column: 0 }) }],
    ['are rows of another array', { asRows: true, blocks: [{ draw: 0, column: 0 }] }],
    ['come of a draw beyond any memory', { columns: 2 ** 46 }],
  ])('are refused where they %s', (_, changed) => {
    expect(make({ ...whole, ...changed })).toThrow(InvalidModelError);
  });

  it('of a draw that does not fit into memory are told in bytes', () => {
    expect(make({ ...whole, columns: 2 ** 42 })).toThrow(OutOfMemoryError);
  });

  it.each<[string, unknown]>([
    ['no object', 3],
    ['no blocks', { ...whole, blocks: undefined }],
    ['a block that is none', { ...whole, blocks: [null] }],
    ['a negative column', { ...whole, blocks: [{ draw: 0, column: -1 }] }],
    ['a draw that is no number', { ...whole, blocks: [{ draw: 'first', column: 0 }] }],
    ['no columns', { ...whole, columns: 0 }],
    ['asRows of a wrong type', { ...whole, asRows: 1 }],
    ['an array of long ago', { ...whole, ofEarlier: 1e9 }],
    ['more blocks than any layer has', { ...whole, blocks: Array(1000).fill({ draw: 0, column: 0 }) }],
  ])('are refused with %s', (_, drawn) => {
    expect(make(drawn)).toThrow(InvalidArgumentError);
  });
});
