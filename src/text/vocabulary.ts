import type { Work } from './slices.js';

/** Ids that are no word's. */
export interface ReservedIds {
  /** Get the ids from 1 on, in this order. */
  readonly tokens: readonly string[];
  /** The commonest word has the id after this one. */
  readonly upTo: number;
}

// Words ranked or copied between two yields.
const STRETCH = 2048;

/** The words of all fitted texts with their counts, in the order in which they were first seen. */
export class Vocabulary {
  readonly #words: string[] = [];
  readonly #counts: number[] = [];
  readonly #positions = new Map<string, number>();
  #index: ReadonlyMap<string, number> = new Map();
  #idLimit = 1;

  get words(): readonly string[] {
    return this.#words;
  }

  get counts(): readonly number[] {
    return this.#counts;
  }

  /** Word to id as `rank` left it, in the order of the ids. */
  get index(): ReadonlyMap<string, number> {
    return this.#index;
  }

  /** All ids are below this. */
  get idLimit(): number {
    return this.#idLimit;
  }

  /** Counts one occurrence of `word`. */
  add(word: string): void {
    const position = this.#positions.get(word);
    if (position === undefined) this.#append(ownCopy(word), 1);
    else this.#counts[position] = (this.#counts[position] as number) + 1;
  }

  /** Whether the word was new; a word that is there already keeps its count. */
  addNew(word: string, count: number): boolean {
    if (this.#positions.has(word)) return false;
    this.#append(word, count);
    return true;
  }

  *copy(): Work<Vocabulary> {
    const copied = new Vocabulary();
    for (let i = 0; i < this.#words.length; i++) {
      copied.#append(this.#words[i] as string, this.#counts[i] as number);
      if (i % STRETCH === 0) yield;
    }
    return copied;
  }

  /**
   * Gives the ids: the first one above the reserved ones for the commonest word, then by falling count, words of one
   * count in first-seen order. If a text holds the very word of a reserved token, the word's own later id is the one that
   * counts, as in Keras, where both are keys of one dictionary.
   */
  *rank({ tokens, upTo }: ReservedIds): Work<void> {
    const positionsByCount = new Map<number, number[]>();
    for (let i = 0; i < this.#counts.length; i++) {
      const count = this.#counts[i] as number;
      const positions = positionsByCount.get(count);
      if (positions === undefined) positionsByCount.set(count, [i]);
      else positions.push(i);
      if (i % STRETCH === 0) yield;
    }
    const index = new Map<string, number>();
    tokens.forEach((token, i) => {
      index.set(token, i + 1);
    });
    let id = upTo + 1;
    for (const count of [...positionsByCount.keys()].sort((a, b) => b - a)) {
      for (const position of positionsByCount.get(count) as number[]) {
        index.set(this.#words[position] as string, id++);
        if (id % STRETCH === 0) yield;
      }
    }
    this.#index = index;
    this.#idLimit = id;
  }

  #append(word: string, count: number): void {
    this.#positions.set(word, this.#words.length);
    this.#words.push(word);
    this.#counts.push(count);
  }
}

// V8 keeps a slice of 13 characters or more as a view that holds the whole text in memory.
const LONGEST_COPIED_SLICE = 12;

function ownCopy(word: string): string {
  return word.length <= LONGEST_COPIED_SLICE ? word : Buffer.from(word, 'utf16le').toString('utf16le');
}
