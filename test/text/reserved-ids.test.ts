import { describe, expect, it } from 'vitest';
import { layers, sequential, tokenizer, tokenizerFromJSON } from '../../src/index.js';

const texts = ['the cat sat on the mat', 'the dog sat', 'a cat'];
// By falling count, then first seen: the 3, cat 2, sat 2, on, mat, dog, a.
const ranked = ['the', 'cat', 'sat', 'on', 'mat', 'dog', 'a'];

describe('tokenizer with ids that no word gets', () => {
  const imdb = { startToken: '<start>', oovToken: '<oov>', indexFrom: 3 };

  // What keras/src/datasets/imdb.py makes of a review's ranks r: [1] + [r + 3 if r + 3 < num_words else 2].
  it.each([undefined, 6, 8])('gives the ids of imdb.load_data(num_words=%s)', (numWords) => {
    const words = tokenizer({ ...imdb, numWords });
    words.fitOnTexts(texts);
    const expected = texts.map((text) => [
      1,
      ...text.split(' ').map((word) => {
        const id = ranked.indexOf(word) + 1 + 3;
        return id < (numWords ?? Number.POSITIVE_INFINITY) ? id : 2;
      }),
    ]);
    expect(words.textsToSequences(texts)).toEqual(expected);
    expect(words.textsToSequences(['cat unseen'])).toEqual([[1, 5, 2]]);
    expect(words.vocabularySize).toBe(Math.min(numWords ?? Number.POSITIVE_INFINITY, 3 + ranked.length + 1));
  });

  it('tells the texts of its ids, and is the same once read from JSON', () => {
    const words = tokenizer(imdb);
    words.fitOnTexts(texts);
    expect(words.sequencesToTexts([[1, 5, 2, 3]])).toEqual(['<start> cat <oov> <oov>']);
    const again = tokenizerFromJSON(JSON.stringify(words));
    expect(again.textsToSequences(texts)).toEqual(words.textsToSequences(texts));
    expect(again.vocabularySize).toBe(words.vocabularySize);
  });

  it('takes the first ids for what is given', () => {
    const ids = (options: object) => {
      const words = tokenizer(options);
      words.fitOnTexts(['a b a']);
      return words.textsToSequences(['a b c'])[0];
    };
    expect(ids({})).toEqual([1, 2]);
    expect(ids({ startToken: '<s>' })).toEqual([1, 2, 3]);
    expect(ids({ startToken: '<s>', oovToken: '<o>' })).toEqual([1, 3, 4, 2]);
    expect(ids({ indexFrom: 10 })).toEqual([11, 12]);
  });

  it.each([
    [{ startToken: '<s>', oovToken: '<s>' }, 'Expected another word than oovToken for startToken'],
    [{ startToken: '<s>', oovToken: '<o>', indexFrom: 1 }, 'Expected an integer from 2 to 1048576 for indexFrom'],
    [{ indexFrom: -1 }, 'Expected an integer of 0 or more for indexFrom but received -1 of type number'],
    [{ startToken: 1 }, 'Expected a non-empty string for startToken but received 1 of type number'],
  ])('refuses %j', (options, message) => {
    expect(() => tokenizer(options as object)).toThrow(message);
  });

  it('needs an embedding of vocabularySize rows in a model', () => {
    const words = tokenizer(imdb);
    words.fitOnTexts(texts);
    const modelOf = (inputDim: number) =>
      sequential(
        [layers.embedding({ inputDim, outputDim: 2 }), layers.lstm({ units: 2 }), layers.dense({ units: 2 })],
        {
          inputShape: [4],
          device: 'cpu',
        },
      );
    using small = modelOf(words.vocabularySize - 1);
    using enough = modelOf(words.vocabularySize);
    expect(() => {
      small.text = { tokenizer: words };
    }).toThrow('its ids go up to 10');
    enough.text = { tokenizer: words };
    expect(enough.text?.tokenizer).toBe(words);
  });
});
