import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../src/errors.js';
import { defineVariant, resolveVariant, type Variant, variants, weightShapes, withConstants } from '../src/variants.js';

/** A block as the paper's table prints it: "Wx+Uh+b", "u.h", a constant, ... */
function printed(gate: Variant['input']): string {
  if ('constant' in gate) return String(gate.constant);
  const recurrent = { none: [], full: ['Uh'], diagonal: ['u.h'] }[gate.recurrent];
  return [...(gate.input ? ['Wx'] : []), ...recurrent, ...(gate.bias ? ['b'] : [])].join('+');
}

describe('the table of variants', () => {
  // G. Kent and F. M. Salem, arXiv 1901.00525, equations 1 to 6 and section I.B; the authors' Keras code for the rest.
  const table: [string, string, string, string, string][] = [
    // name      i           f           o           candidate
    ['LSTM', 'Wx+Uh+b', 'Wx+Uh+b', 'Wx+Uh+b', 'Wx+Uh+b'],
    ['LSTM1', 'Uh+b', 'Uh+b', 'Uh+b', 'Wx+Uh+b'],
    ['LSTM2', 'Uh', 'Uh', 'Uh', 'Wx+Uh+b'],
    ['LSTM3', 'b', 'b', 'b', 'Wx+Uh+b'],
    ['LSTM4', 'u.h', 'u.h', 'u.h', 'Wx+Uh+b'],
    ['LSTM4a', 'u.h', '0.96', '1', 'Wx+Uh+b'],
    ['LSTM5', 'u.h+b', 'u.h+b', 'u.h+b', 'Wx+Uh+b'],
    ['LSTM5a', 'u.h+b', '0.96', '1', 'Wx+Uh+b'],
    ['LSTM6', '1', '0.4', '1', 'Wx+Uh+b'],
    ['LSTM10', 'u.h', 'u.h', 'u.h', 'Wx+u.h+b'],
    ['LSTM11', 'u.h+b', 'u.h+b', 'u.h+b', 'Wx+u.h+b'],
    ['LSTM_C6', '1', '0.4', '1', 'Wx+u.h+b'],
  ];

  it('has the published terms, under the published names', () => {
    const rows = Object.values(variants).map((v) => [
      v.name,
      printed(v.input),
      printed(v.forget),
      printed(v.output),
      printed(v.candidate),
    ]);
    expect(rows).toEqual(table);
    expect(Object.keys(variants)).toEqual(table.map(([name]) => name));
  });

  it('cannot be changed', () => {
    const writable = variants as Record<string, { name: string; candidate: { bias: boolean } }>;
    expect(() => {
      (writable.LSTM3 as { name: string }).name = 'mine';
    }).toThrow(TypeError);
    expect(() => {
      (writable.LSTM3 as { candidate: { bias: boolean } }).candidate.bias = false;
    }).toThrow(TypeError);
    expect(() => {
      delete writable.LSTM3;
    }).toThrow(TypeError);
  });
});

describe('weightShapes', () => {
  const shapes = (variant: Variant) =>
    Object.fromEntries(weightShapes(variant, 7, 5).map(({ name, shape }) => [name, shape]));

  it("gives the standard LSTM Keras' three arrays, in Keras' order", () => {
    // [w.shape for w in keras.layers.LSTM(5).weights] after a call on inputs of width 7
    expect(weightShapes(variants.LSTM, 7, 5)).toEqual([
      { name: 'kernel', shape: [7, 20] },
      { name: 'recurrent_kernel', shape: [5, 20] },
      { name: 'bias', shape: [20] },
    ]);
  });

  it('packs only the blocks that keep a term', () => {
    expect(shapes(variants.LSTM1)).toEqual({ kernel: [7, 5], recurrent_kernel: [5, 20], bias: [20] });
    expect(shapes(variants.LSTM2)).toEqual({ kernel: [7, 5], recurrent_kernel: [5, 20], bias: [5] });
    expect(shapes(variants.LSTM3)).toEqual({ kernel: [7, 5], recurrent_kernel: [5, 5], bias: [20] });
    expect(shapes(variants.LSTM5a)).toEqual({
      kernel: [7, 5],
      recurrent_kernel: [5, 5],
      recurrent_diagonal: [1, 5],
      bias: [10],
    });
    expect(shapes(variants.LSTM6)).toEqual({ kernel: [7, 5], recurrent_kernel: [5, 5], bias: [5] });
  });

  it('leaves out an array of which no block keeps the term', () => {
    expect(shapes(variants.LSTM10)).toEqual({ kernel: [7, 5], recurrent_diagonal: [4, 5], bias: [5] });
    const bare = defineVariant({
      input: { input: true },
      forget: { constant: 0.5 },
      candidate: { input: true },
      output: { constant: 1 },
    });
    expect(shapes(bare)).toEqual({ kernel: [7, 10] });
  });

  it.each([
    [0, 5, 'Expected a positive integer for inputSize but received 0 of type number'],
    [7, 2.5, 'Expected a positive integer for units but received 2.5 of type number'],
    [2 ** 30, 2 ** 30, 'Expected sizes whose weights can be addressed'],
  ])('refuses input size %d with %d units', (inputSize, units, message) => {
    expect(() => weightShapes(variants.LSTM, inputSize, units)).toThrow(InvalidArgumentError);
    expect(() => weightShapes(variants.LSTM, inputSize, units)).toThrow(message);
  });
});

describe('defineVariant', () => {
  const definition = {
    name: 'mine',
    input: { recurrent: 'diagonal', bias: true },
    forget: { constant: 0.9 },
    candidate: { input: true, recurrent: 'full', bias: true },
    output: { input: true },
  } as const;

  it('takes terms that are left out as absent', () => {
    expect(defineVariant(definition)).toEqual({
      name: 'mine',
      input: { input: false, recurrent: 'diagonal', bias: true },
      forget: { constant: 0.9 },
      candidate: { input: true, recurrent: 'full', bias: true },
      output: { input: true, recurrent: 'none', bias: false },
    });
  });

  it('names what has no name', () => {
    const { name: _, ...nameless } = definition;
    expect(defineVariant(nameless).name).toBe('custom');
  });

  it('copies the definition, so that later changes to it do nothing', () => {
    const input = { recurrent: 'diagonal' as const, bias: true };
    const variant = defineVariant({ ...definition, input });
    input.bias = false;
    expect(variant.input).toEqual({ input: false, recurrent: 'diagonal', bias: true });
  });

  it('gives the published row for the published name and terms', () => {
    expect(defineVariant(structuredClone(variants.LSTM5a))).toBe(variants.LSTM5a);
  });

  // biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass
  const refused: [string, any, string][] = [
    ['no object', 3, 'Expected an object for variant but received 3 of type number'],
    ['a block too many', { ...definition, cell: {} }, 'received cell'],
    ['a missing block', { ...definition, output: undefined }, 'Expected an object for output but received undefined'],
    ['an unknown term', { ...definition, input: { recurent: 'full' } }, 'did you mean recurrent?'],
    [
      'an unknown recurrent term',
      { ...definition, input: { recurrent: 'sparse' } },
      "Expected 'none', 'full' or 'diagonal' for input.recurrent",
    ],
    [
      'a recurrent term of a wrong type',
      { ...definition, input: { recurrent: true } },
      'received true of type boolean',
    ],
    ['an input term of a wrong type', { ...definition, input: { input: 1 } }, 'Expected a boolean for input.input'],
    ['a bias of a wrong type', { ...definition, input: { bias: 'yes' } }, 'Expected a boolean for input.bias'],
    ['an empty candidate', { ...definition, candidate: {} }, 'Expected at least one term for candidate'],
    ['an empty gate', { ...definition, output: {} }, 'a gate without terms is written { constant: 1 }'],
    ['a constant candidate', { ...definition, candidate: { constant: 1 } }, 'received constant'],
    ['a gate both constant and not', { ...definition, input: { constant: 1, bias: true } }, 'received bias'],
    ['a forget constant of 1', { ...definition, forget: { constant: 1 } }, 'between -1 and 1'],
    ['a forget constant of -1.5', { ...definition, forget: { constant: -1.5 } }, 'between -1 and 1'],
    [
      'a constant that is no number',
      { ...definition, forget: { constant: '0.9' } },
      'Expected a finite number for forget.constant',
    ],
    ['a constant that is NaN', { ...definition, output: { constant: Number.NaN } }, 'received NaN of type number'],
    [
      'an input gate shut for ever',
      { ...definition, input: { constant: 0 } },
      'Expected a number other than 0 for input.constant',
    ],
    [
      'an output gate shut for ever',
      { ...definition, output: { constant: 0 } },
      'Expected a number other than 0 for output.constant',
    ],
    [
      'no input product at all',
      { ...definition, candidate: { bias: true }, output: { constant: 1 } },
      'to keep its input product',
    ],
    ['an empty name', { ...definition, name: ' ' }, 'Expected a non-empty string for name'],
    ['a published name on other terms', { ...definition, name: 'LSTM3' }, 'LSTM3, which is a published variant'],
    [
      'a published name on another constant',
      { ...variants.LSTM6, forget: { constant: 0.59 } },
      'LSTM6, which is a published variant',
    ],
  ];

  it.each(refused)('refuses %s', (_, wrong, message) => {
    expect(() => defineVariant(wrong)).toThrow(InvalidArgumentError);
    expect(() => defineVariant(wrong)).toThrow(message);
  });
});

describe('withConstants', () => {
  it.each([
    ['LSTM6', { forget: 0.59 }, { input: 1, forget: 0.59, output: 1 }, 'LSTM6 with forget 0.59'],
    [
      'LSTM_C6',
      { input: 0.5, output: -2 },
      { input: 0.5, forget: 0.4, output: -2 },
      'LSTM_C6 with input 0.5, output -2',
    ],
    [
      'LSTM6',
      { input: 1, forget: -0.96, output: 1 },
      { input: 1, forget: -0.96, output: 1 },
      'LSTM6 with forget -0.96',
    ],
  ] as const)('%s with %j', (name, constants, expected, newName) => {
    const variant = withConstants(name, constants);
    const { input, forget, output } = expected;
    expect(variant).toEqual({
      name: newName,
      input: { constant: input },
      forget: { constant: forget },
      output: { constant: output },
      candidate: variants[name].candidate,
    });
    expect(resolveVariant(JSON.parse(JSON.stringify(variant)))).toEqual(variant);
  });

  it('leaves the other gates as they are', () => {
    const { input, candidate, output } = variants.LSTM5a;
    expect(withConstants('LSTM5a', { forget: 0.5 })).toMatchObject({ input, candidate, output });
  });

  it('gives the variant itself for its own numbers', () => {
    expect(withConstants('LSTM4a', { forget: 0.96, output: 1 })).toBe(variants.LSTM4a);
    expect(withConstants('LSTM', {})).toBe(variants.LSTM);
  });

  it('refuses a number for a gate that is none, and a gate that is not there', () => {
    expect(() => withConstants('LSTM5a', { input: 1 })).toThrow(InvalidArgumentError);
    expect(() => withConstants('LSTM3', { forget: 0.5 })).toThrow(
      'Expected no constant for the forget gate of variant LSTM3, which has no constant gate',
    );
    // @ts-expect-error for callers without types
    expect(() => withConstants('LSTM6', { candidate: 1 })).toThrow('received candidate');
  });
});

describe('resolveVariant', () => {
  it('gives the row of a name', () => {
    expect(resolveVariant('LSTM4a')).toBe(variants.LSTM4a);
  });

  it('reads back what JSON wrote', () => {
    const mine = defineVariant({ ...variants.LSTM6, name: 'LSTM6 0.59', forget: { constant: 0.59 } });
    for (const variant of [...Object.values(variants), mine]) {
      expect(resolveVariant(JSON.parse(JSON.stringify(variant)))).toEqual(variant);
    }
  });

  it.each([
    ['lstm3', 'LSTM3'],
    ['LSTM-C6', 'LSTM_C6'],
    ['LSTM4b', 'LSTM4'],
    ['toString', 'LSTM'],
  ])('names the nearest variant for %s', (wrong, nearest) => {
    expect(() => resolveVariant(wrong)).toThrow(InvalidArgumentError);
    expect(() => resolveVariant(wrong)).toThrow(`did you mean ${nearest}?`);
  });

  it('refuses what is neither a name nor a variant', () => {
    // @ts-expect-error for callers without types
    expect(() => resolveVariant(null)).toThrow(
      'Expected the name of a variant or a variant for variant but received null',
    );
  });
});
