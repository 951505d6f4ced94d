import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError, InvalidDataError } from '../../src/errors.js';
import { type WordVectorsOptions, wordVectors } from '../../src/text/word-vectors.js';
import { temporaryFolder } from '../temporary-folder.js';

const scratch = temporaryFolder();
let made = 0;

function file(content: string | Uint8Array): string {
  const path = join(scratch, `${made++}.txt`);
  writeFileSync(path, content);
  return path;
}

const SMALL = 'the 0.1 -0.2 3\n, 1e-3 2 -4.5E2\nété 7 8 9\n';
const index = new Map([
  ['missing', 1],
  ['the', 2],
  ['été', 3],
  [',', 4],
]);

describe('wordVectors', () => {
  it('makes the rows of an embedding, zero for words without a vector and for the padding', async () => {
    for (const content of [SMALL, gzipSync(SMALL), SMALL.replaceAll('\n', ' \r\n'), SMALL.trimEnd()]) {
      const vectors = await wordVectors(file(content));
      expect([vectors.dimension, vectors.size]).toEqual([3, 3]);
      expect(vectors.matrix(index, 5)).toEqual({
        data: Float32Array.of(0, 0, 0, 0, 0, 0, 0.1, -0.2, 3, 7, 8, 9, 0.001, 2, -450),
        shape: [5, 3],
      });
      expect(vectors.coverage(index, 5)).toEqual({ words: 4, covered: 3 });
    }
  });

  it('leaves out words whose id is numWords or more, and has rows for ids that no word has', async () => {
    const vectors = await wordVectors(file(SMALL));
    expect(vectors.matrix(index, 3).data).toEqual(Float32Array.of(0, 0, 0, 0, 0, 0, 0.1, -0.2, 3));
    expect(vectors.coverage(index, 3)).toEqual({ words: 2, covered: 1 });
    expect(vectors.matrix(index, 7).shape).toEqual([7, 3]);
    expect(vectors.matrix(new Map(), 1).data).toEqual(new Float32Array(3));
  });

  it('gives single vectors as copies', async () => {
    const vectors = await wordVectors(file(SMALL));
    vectors.get('the')?.fill(0);
    expect(vectors.get('the')).toEqual(Float32Array.of(0.1, -0.2, 3));
    expect(vectors.get('nobody')).toBeUndefined();
  });

  it('keeps only the words asked for, or the first of the file', async () => {
    const path = file(SMALL);
    expect((await wordVectors(path, { words: index })).size).toBe(3);
    expect((await wordVectors(path, { words: index, numWords: 3 })).size).toBe(1);
    const first = await wordVectors(path, { maxWords: 2 });
    expect([first.size, first.get('été')]).toEqual([2, undefined]);
  });

  it('takes the last of several lines for one word, as a dictionary does', async () => {
    const vectors = await wordVectors(file('a 1 2\nb 3 4\na 5 6\n'));
    expect([vectors.size, vectors.get('a'), vectors.get('b')]).toEqual([
      2,
      Float32Array.of(5, 6),
      Float32Array.of(3, 4),
    ]);
  });

  it('takes white space other than the space for words, as GloVe does', async () => {
    const vectors = await wordVectors(file('\f 1 2\n\u0085 3 4\n\u00a0 5 6\n'));
    expect(['\f', '\u0085', '\u00a0'].map((word) => vectors.get(word)?.[0])).toEqual([1, 3, 5]);
  });

  it('knows the first line of the word2vec form, and words with spaces if the dimension is given', async () => {
    const header = await wordVectors(file('2 2\na 1 2\n. . . 3 4\n'));
    expect([header.size, header.get('. . .')]).toEqual([2, Float32Array.of(3, 4)]);
    const given = await wordVectors(file('. . . 3 4\na 1 2\n'), { dimension: 2 });
    expect(given.get('. . .')).toEqual(Float32Array.of(3, 4));
    const narrow = await wordVectors(file('1 2\n3 4\n'), { dimension: 1 });
    expect([narrow.size, narrow.get('1')]).toEqual([2, Float32Array.of(2)]);
  });

  it('reads lines that lie across pieces of the file, and more words than it first has room for', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `é${i} ${i} ${i / 8} -${i}`);
    const vectors = await wordVectors(file(lines.join('\n')));
    expect(vectors.size).toBe(5000);
    for (const i of [0, 1, 1999, 4999]) expect(vectors.get(`é${i}`)).toEqual(Float32Array.of(i, i / 8, -i));
  });

  it.each<[string, string, WordVectorsOptions, RegExp]>([
    [
      'ERR_VECTORS_DIMENSION',
      'a 1 2\nb 3\n',
      {},
      /Expected a word and 2 numbers in line 2 of .* but received 1 numbers/,
    ],
    ['ERR_VECTORS_DIMENSION', 'a 1 2\n', { dimension: 3 }, /Expected a word and 3 numbers in line 1 of .* received 2/],
    [
      'ERR_VECTORS_DIMENSION',
      '5 2\na 1 2\n',
      { dimension: 3 },
      /Expected a word and 3 numbers in line 1 of .* received 2/,
    ],
    ['ERR_VECTORS_DIMENSION', 'alone\n', {}, /Expected a word and its numbers in line 1 of .* but received 0 numbers/],
    ['ERR_VECTORS_DIMENSION', ' 1 2\n', {}, /but received no word and 2 numbers/],
    [
      'ERR_VECTORS_NUMBER',
      'a 1 2\nb 3 x\n',
      {},
      /Expected a number as entry 2 of the vector in line 2 of .* but received 'x'/,
    ],
    ['ERR_VECTORS_NUMBER', 'a 1 NaN\n', {}, /entry 2 of the vector in line 1 of .* but received 'NaN'/],
    ['ERR_VECTORS_NUMBER', 'a 1 1e39\n', {}, /entry 2 of the vector in line 1 of .* but received '1e39'/],
    ['ERR_VECTORS_NUMBER', 'a 1  2\n', {}, /entry 2 of the vector in line 1 of .* but received ''/],
    ['ERR_LIMIT_DOCUMENT', `a ${'1 '.repeat(1000)}`, { limits: { documentBytes: 100 } }, /Line 1 of .* has more bytes/],
  ])('answers %s to %j', async (code, content, options, message) => {
    await expect(wordVectors(file(content), options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('does not look at the numbers of words that nobody asked for', async () => {
    expect((await wordVectors(file('a 1 2\nb 3 x\n'), { words: new Map([['a', 1]]) })).size).toBe(1);
  });

  it('refuses a file without vectors, a missing one, and one cut off', async () => {
    await expect(wordVectors(file(''))).rejects.toThrow(InvalidDataError);
    await expect(wordVectors(file('7 3\n'))).rejects.toThrow('holds no word vector');
    await expect(wordVectors(join(scratch, 'none'))).rejects.toMatchObject({ code: 'ERR_FILE_ACCESS' });
    const cut = gzipSync(SMALL.repeat(1000)).subarray(0, -4);
    await expect(wordVectors(file(cut))).rejects.toMatchObject({ code: 'ERR_GZIP_TRUNCATED' });
  });

  it.each<[unknown, string]>([
    [{ words: ['a'] }, 'Expected a Map from words to ids for words but received ["a"] of type array'],
    [{ numWords: 0 }, 'Expected a positive integer for numWords but received 0 of type number'],
    [{ dimension: 1.5 }, 'Expected a positive integer for dimension but received 1.5 of type number'],
    [{ maxWords: '5' }, 'Expected a positive integer for maxWords but received "5" of type string'],
    [{ dimensions: 5 }, 'Unknown option dimensions for wordVectors; did you mean dimension?'],
  ])('refuses the options %j', async (options, message) => {
    const read = wordVectors(file(SMALL), options as WordVectorsOptions);
    await expect(read).rejects.toThrow(InvalidArgumentError);
    await expect(read).rejects.toThrow(message);
  });

  it('refuses ids that no row can have', async () => {
    const vectors = await wordVectors(file(SMALL));
    expect(() => vectors.matrix(new Map([['the', 0]]), 5)).toThrow(
      "Expected an id of 1 or more for wordIndex.get('the') but received 0 of type number",
    );
    expect(() => vectors.matrix(index, 0)).toThrow(InvalidArgumentError);
    const wide = await wordVectors(file(`a${' 1'.repeat(5000)}\n`));
    expect(() => wide.matrix(index, 2 ** 31 - 1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }));
  });
});
