import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { BusyError, InvalidArgumentError, InvalidDataError } from '../../src/errors.js';
import { type TokenizerOptions, tokenizer } from '../../src/text/tokenizer.js';
import { tokenizerFromJSON } from '../../src/text/tokenizer-json.js';

interface KerasOptions {
  num_words?: number;
  filters?: string;
  lower?: boolean;
  split?: string;
  oov_token?: string;
  char_level?: boolean;
}

interface Oracle {
  texts: string[];
  unseen: string[];
  tokenizers: {
    options: KerasOptions;
    wordIndex: [string, number][];
    wordCounts: [string, number][];
    sequences: number[][];
    texts: string[];
  }[];
  wordLists: { options: KerasOptions; lists: string[][]; wordIndex: [string, number][]; sequences: number[][] }[];
  lowerCase: [number, string][];
}

// Written by Keras itself: test/oracle/text.py.
const oracle: Oracle = JSON.parse(readFileSync(new URL('../oracle/fixtures/text.json', import.meta.url), 'utf8'));

function inCamelCase(options: KerasOptions): TokenizerOptions {
  const { num_words, filters, lower, split, oov_token, char_level } = options;
  return { numWords: num_words, filters, lower, split, oovToken: oov_token, charLevel: char_level };
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

describe('tokenizer', () => {
  const everything = [...oracle.texts, ...oracle.unseen];

  it.each(oracle.tokenizers.map((expected) => ({ name: JSON.stringify(expected.options), expected })))(
    'gives what Keras gives for $name',
    ({ expected }) => {
      const fitted = tokenizer(inCamelCase(expected.options));
      fitted.fitOnTexts(oracle.texts.slice(0, 7));
      fitted.fitOnTexts(oracle.texts.slice(7));
      expect([...fitted.wordIndex]).toEqual(expected.wordIndex);
      expect([...fitted.wordCounts]).toEqual(expected.wordCounts);
      expect(fitted.textsToSequences(everything)).toEqual(expected.sequences);
      expect(fitted.sequencesToTexts([...expected.sequences, [0, 3, 100000]])).toEqual(expected.texts);
      expect(fitted.documentCount).toBe(oracle.texts.length);
    },
  );

  it.each(oracle.wordLists.map((expected) => ({ name: JSON.stringify(expected.options), expected })))(
    'takes words that the caller has separated, as Keras does, for $name',
    ({ expected }) => {
      const fitted = tokenizer(inCamelCase(expected.options));
      fitted.fitOnTexts(expected.lists);
      expect([...fitted.wordIndex]).toEqual(expected.wordIndex);
      expect(fitted.textsToSequences(expected.lists)).toEqual(expected.sequences);
    },
  );

  it('makes the same characters lower case as Python does, Latin-1 and beyond', () => {
    const ours = oracle.lowerCase.map(([code]) => [code, String.fromCodePoint(code).toLowerCase()]);
    expect(ours).toEqual(oracle.lowerCase);
    expect(oracle.lowerCase.length).toBeGreaterThan(1400);
  });

  it('gives the same for one long text as for its parts, wherever it is cut inside', () => {
    const words = Array.from({ length: 60_000 }, (_, i) => `Word${(i * 7919) % 5003}Σ${' '.repeat(i % 3)}`);
    const long = tokenizer();
    long.fitOnTexts([words.join(' ')]);
    const short = tokenizer();
    short.fitOnTexts(words);
    expect([...long.wordIndex]).toEqual([...short.wordIndex]);
    expect(long.textsToSequences([words.join(' ')])[0]).toEqual(short.textsToSequences(words).flat());
  });

  it('does the same in slices as at once, and lets timers run meanwhile', async () => {
    const texts = Array.from({ length: 3000 }, (_, i) => {
      return Array.from({ length: 200 }, (_, j) => `w${(i * 31 + j * 17 + i * j) % 9973}`).join(' ');
    });
    const atOnce = tokenizer({ numWords: 500 });
    atOnce.fitOnTexts(texts);
    const inSlices = tokenizer({ numWords: 500 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await inSlices.fitOnTextsAsync(texts);
    const sequences = await inSlices.textsToSequencesAsync(texts);
    clearInterval(timer);
    expect([...inSlices.wordIndex]).toEqual([...atOnce.wordIndex]);
    expect(sequences).toEqual(atOnce.textsToSequences(texts));
    expect(ticks).toBeGreaterThan(3);
  });

  it('is as it was after a fit that failed or was aborted', async () => {
    const fitted = tokenizer();
    fitted.fitOnTexts(['a b', 'a']);
    const before = JSON.stringify(fitted);
    expect(() => fitted.fitOnTexts(['c', 5 as unknown as string])).toThrow(InvalidDataError);
    const controller = new AbortController();
    const many = Array.from({ length: 100_000 }, (_, i) => `c${i} d`);
    const fit = fitted.fitOnTextsAsync(many, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(fit).rejects.toThrow('enough');
    expect(JSON.stringify(fitted)).toBe(before);
    await fitted.fitOnTextsAsync(['c']);
    expect(fitted.documentCount).toBe(3);
  });

  it('refuses a second fit while one is under way', async () => {
    const fitted = tokenizer();
    const first = fitted.fitOnTextsAsync(Array.from({ length: 100_000 }, (_, i) => `word${i} and more`));
    expect(() => fitted.fitOnTexts(['b'])).toThrow(BusyError);
    await first;
    fitted.fitOnTexts(['b']);
    expect(fitted.documentCount).toBe(100_001);
  });

  it('does not keep the texts alive that its words were cut from', () => {
    const word = 'x'.repeat(40);
    const fitted = tokenizer();
    const before = heapAfterCollection();
    for (let i = 0; i < 200; i++) fitted.fitOnTexts([`${word}${i} ${'.'.repeat(500_000)}`]);
    // 200 texts of half a megabyte; a slice of each would hold 100 MB.
    expect((heapAfterCollection() - before) / 2 ** 20).toBeLessThan(20);
    expect(fitted.wordIndex.size).toBe(200);
  });

  it.each([
    [{ numWords: 0 }, 'Expected a positive integer for numWords but received 0 of type number'],
    [{ numWords: 2.5 }, 'Expected a positive integer for numWords but received 2.5 of type number'],
    [{ split: '' }, 'Expected a non-empty string for split but received "" of type string'],
    [{ filters: 1 }, 'Expected a string for filters but received 1 of type number'],
    [{ lower: 'no' }, 'Expected a boolean for lower but received "no" of type string'],
    [{ oovToken: '' }, 'Expected a non-empty string for oovToken'],
    [{ numWord: 3 }, 'Unknown option numWord for tokenizer; did you mean numWords?'],
    [null, 'Expected an object for the options of tokenizer but received null'],
  ])('refuses the options %j', (options, message) => {
    const make = () => tokenizer(options as TokenizerOptions);
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
  });

  it('refuses one string for texts, texts that are no strings, and encoding before fitting', () => {
    const fitted = tokenizer();
    expect(() => fitted.textsToSequences(['a'])).toThrow('call fitOnTexts first');
    expect(() => fitted.fitOnTexts('a b' as unknown as string[])).toThrow(
      'Expected an array of strings for texts but received "a b" of type string',
    );
    fitted.fitOnTexts(['a']);
    expect(() => fitted.textsToSequences(['a', null as unknown as string])).toThrow(
      'Expected a string for texts[1] but received null',
    );
    expect(() => fitted.textsToSequences([['a', 1 as unknown as string]])).toThrow(
      'Expected a string for texts[0][1] but received 1 of type number',
    );
  });
});

describe('tokenizerFromJSON', () => {
  const fitted = tokenizer({ numWords: 20, oovToken: '<oov>' });
  fitted.fitOnTexts([...oracle.texts, 'a lone \ud800 surrogate']);
  const json = JSON.stringify(fitted);

  it('makes the same tokenizer again, ready to encode and to be fitted further', () => {
    const again = tokenizerFromJSON(json);
    expect([...again.wordIndex]).toEqual([...fitted.wordIndex]);
    expect(again.textsToSequences(oracle.unseen)).toEqual(fitted.textsToSequences(oracle.unseen));
    expect(JSON.stringify(again)).toBe(json);
    expect(JSON.stringify(tokenizerFromJSON(JSON.parse(json)))).toBe(json);
    const further = tokenizerFromJSON(json);
    further.fitOnTexts(['tie4 tie4 tie4 newcomer']);
    expect(further.wordIndex.get('tie4')).toBe(2);
    expect(further.wordCounts.get('newcomer')).toBe(1);
  });

  const changed = (change: (fields: Record<string, unknown>) => void) => {
    const fields = JSON.parse(json);
    change(fields);
    return fields;
  };

  it.each<[string, unknown]>([
    ['ERR_TOKENIZER_JSON', json.slice(0, -5)],
    ['ERR_TOKENIZER_FORMAT', []],
    ['ERR_TOKENIZER_FORMAT', null],
    ['ERR_TOKENIZER_FORMAT', changed((f) => delete f.format)],
    ['ERR_TOKENIZER_FORMAT', changed((f) => delete f.words)],
    ['ERR_TOKENIZER_FORMAT', changed((f) => Object.assign(f, { extra: 1 }))],
    ['ERR_TOKENIZER_VERSION', changed((f) => Object.assign(f, { version: 2 }))],
    ['ERR_TOKENIZER_OPTIONS', changed((f) => Object.assign(f, { options: { numWords: -1 } }))],
    ['ERR_TOKENIZER_OPTIONS', changed((f) => Object.assign(f, { options: { analyzer: 1 } }))],
    ['ERR_TOKENIZER_OPTIONS', changed((f) => Object.assign(f, { options: null }))],
    ['ERR_TOKENIZER_DOCUMENTS', changed((f) => Object.assign(f, { documentCount: -1 }))],
    ['ERR_TOKENIZER_WORDS', changed((f) => Object.assign(f, { words: {} }))],
    ['ERR_TOKENIZER_WORDS', changed((f) => Object.assign(f.words as string[], { 1: 7 }))],
    ['ERR_TOKENIZER_WORDS', changed((f) => Object.assign(f.words as string[], { 1: (f.words as string[])[0] }))],
    ['ERR_TOKENIZER_COUNTS', changed((f) => (f.counts as number[]).pop())],
    ['ERR_TOKENIZER_COUNTS', changed((f) => Object.assign(f.counts as number[], { 0: 0 }))],
    ['ERR_TOKENIZER_COUNTS', changed((f) => Object.assign(f.counts as number[], { 0: 1.5 }))],
  ])('refuses what is no tokenizer with %s', (code, value) => {
    expect(() => tokenizerFromJSON(value)).toThrow(expect.objectContaining({ name: 'InvalidFileError', code }));
  });
});
