import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type PadOptions, padSequences, padSequencesAsync, type Sequence } from '../../src/text/pad-sequences.js';

// Written by Keras itself: test/oracle/text.py. Keras' `maxlen=None` is null there.
const cases: {
  sequences: number[][];
  options: Required<Omit<PadOptions, 'maxLength'>> & { maxLength: number | null };
  padded: number[][];
}[] = JSON.parse(readFileSync(new URL('../oracle/fixtures/text.json', import.meta.url), 'utf8')).padding;

describe('padSequences', () => {
  it.each(cases.map((padCase) => ({ name: JSON.stringify(padCase.options), padCase })))(
    'gives what Keras gives for $name',
    async ({ padCase: { sequences, options, padded } }) => {
      const given = { ...options, maxLength: options.maxLength ?? undefined };
      const expected = { data: Int32Array.from(padded.flat()), shape: [padded.length, padded[0]?.length] };
      expect(padSequences(sequences, given)).toEqual(expected);
      expect(
        padSequences(
          sequences.map((sequence) => Int32Array.from(sequence)),
          given,
        ),
      ).toEqual(expected);
      expect(await padSequencesAsync(sequences, given)).toEqual(expected);
    },
  );

  it("keeps the last ids by default, zeros in front, as Keras' defaults do", () => {
    expect(padSequences([[1, 2, 3], [4]], { maxLength: 2 })).toEqual({
      data: Int32Array.of(2, 3, 0, 4),
      shape: [2, 2],
    });
  });

  it('gives no rows for no sequences if the length is known', () => {
    expect(padSequences([], { maxLength: 4 })).toEqual({ data: new Int32Array(0), shape: [0, 4] });
    expect(() => padSequences([])).toThrow('Expected maxLength or at least one sequence, but received neither');
  });

  it.each<[unknown, unknown, string]>([
    [[[1], [2, 0.5]], {}, 'Expected a 32-bit integer for sequences[1][1] but received 0.5 of type number'],
    [[[1, 2 ** 31]], {}, 'Expected a 32-bit integer for sequences[0][1] but received 2147483648 of type number'],
    [[[Number.NaN]], {}, 'Expected a 32-bit integer for sequences[0][0] but received NaN of type number'],
    [[[1], 'ab'], {}, 'Expected an array of token ids for sequences[1] but received "ab" of type string'],
    ['ab', {}, 'Expected an array of sequences for sequences but received "ab" of type string'],
    [[[1]], { maxLength: 0 }, 'Expected a positive integer for maxLength but received 0 of type number'],
    [
      [[1]],
      { padding: 'left' },
      'Expected one of pre, post for padding but received "left" of type string; did you mean',
    ],
    [[[1]], { truncating: true }, 'Expected one of pre, post for truncating but received true of type boolean'],
    [[[1]], { value: 0.5 }, 'Expected a 32-bit integer for value but received 0.5 of type number'],
    [[[1]], { maxlen: 3 }, 'Unknown option maxlen for padSequences; did you mean maxLength?'],
    [new Array(5000).fill([]), { maxLength: 2 ** 31 - 1 }, 'Cannot get 42949672940000 bytes for 5000 sequences'],
  ])('refuses %j with %j', (sequences, options, message) => {
    expect(() => padSequences(sequences as Sequence[], options as PadOptions)).toThrow(message);
  });
});
