import type { Work } from './slices.js';

/** How a text becomes words: the options of Keras' `text_to_word_sequence`. */
export interface WordRules {
  /** Every one of these characters separates words. */
  readonly filters: string;
  /** Whether letters are made lower case first. */
  readonly lower: boolean;
  /** What separates words besides `filters`. */
  readonly split: string;
  /** Whether every character (Unicode code point) is a word; `filters` and `split` are then unused. */
  readonly charLevel: boolean;
}

/** Passes each word of a text to `take`, in order, and yields between stretches of a long text. */
export type WordScanner = (text: string, take: (word: string) => void) => Work<void>;

/**
 * The scanner for `rules`, after Keras' `text_to_word_sequence` (keras/src/legacy/preprocessing/text.py): lower case,
 * each character of `filters` replaced by `split`, cut at `split`, empty words dropped.
 */
export function wordScanner(rules: WordRules): WordScanner {
  if (rules.charLevel) return (text, take) => scanCharacters(lowered(text, rules), take);
  const separators = separatorTable(rules);
  if (separators === undefined) return (text, take) => scanBySplitting(lowered(text, rules), rules, take);
  // Upper case letters may turn into two characters or, as the Greek sigma does, look at their neighbours;
  // white space is no letter's neighbour, so that a text may be cut there before it is made lower case.
  const cut = /^\s$/.test(rules.split) ? rules.split : undefined;
  return (text, take) => scanByTable(text, rules, separators, cut, take);
}

function lowered(text: string, rules: WordRules): string {
  return rules.lower ? text.toLowerCase() : text;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** 1 at every UTF-16 unit that separates words; undefined where single units cannot tell. */
function separatorTable({ filters, split }: WordRules): Uint8Array | undefined {
  if (split.length !== 1) return undefined;
  const table = new Uint8Array(0x10000);
  for (const character of filters + split) {
    const unit = character.charCodeAt(0);
    if (isSurrogate(unit)) return undefined;
    table[unit] = 1;
  }
  return table;
}

// Long enough that the calls per stretch cost nothing, short enough to take well under a millisecond or two.
const STRETCH = 32768;

function* scanByTable(
  text: string,
  rules: WordRules,
  separators: Uint8Array,
  cut: string | undefined,
  take: (word: string) => void,
): Work<void> {
  let start = 0;
  while (start < text.length) {
    let end = text.length;
    if (cut !== undefined && end - start > STRETCH) {
      const found = text.indexOf(cut, start + STRETCH);
      if (found !== -1) end = found;
    }
    scanStretch(lowered(start === 0 && end === text.length ? text : text.slice(start, end), rules), separators, take);
    start = end;
    yield;
  }
}

function scanStretch(stretch: string, separators: Uint8Array, take: (word: string) => void): void {
  const { length } = stretch;
  let position = 0;
  while (position < length) {
    while (position < length && separators[stretch.charCodeAt(position)] === 1) position++;
    const start = position;
    while (position < length && separators[stretch.charCodeAt(position)] === 0) position++;
    if (position > start) take(stretch.slice(start, position));
  }
}

function* scanBySplitting(text: string, { filters, split }: WordRules, take: (word: string) => void): Work<void> {
  const filtered = new Set(filters);
  let replaced = '';
  for (const character of text) replaced += filtered.has(character) ? split : character;
  for (const word of replaced.split(split)) if (word !== '') take(word);
  yield;
}

function* scanCharacters(text: string, take: (word: string) => void): Work<void> {
  let sinceYield = 0;
  for (const character of text) {
    take(character);
    if (++sinceYield === STRETCH) {
      sinceYield = 0;
      yield;
    }
  }
  yield;
}
