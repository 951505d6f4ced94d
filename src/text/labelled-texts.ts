import { InvalidDataError } from '../errors.js';
import { checkChoice } from './options.js';

/** Documents with their classes: what all readers of this folder give. */
export interface LabelledTexts {
  /** N documents. */
  texts: string[];
  /** N class ids, positions in `classNames`. */
  labels: Int32Array;
  classNames: string[];
  /** N names that lead back to the source: `class/file`, or `line 12`. */
  names: string[];
  /** How many documents were found empty, kept or not: no character besides white space. */
  emptyDocuments: number;
}

export type EmptyDocuments = 'keep' | 'skip' | 'error';

export interface Document {
  text: string;
  label: number;
  name: string;
}

export function checkEmptyDocuments(value: unknown): void {
  checkChoice('emptyDocuments', value, ['keep', 'skip', 'error']);
}

/** Gathers documents, and decides on the empty ones. */
export class LabelledTextsBuilder {
  readonly #source: string;
  readonly #emptyDocuments: EmptyDocuments;
  readonly #texts: string[] = [];
  readonly #labels: number[] = [];
  readonly #names: string[] = [];
  #empty = 0;

  constructor(source: string, emptyDocuments: EmptyDocuments) {
    this.#source = source;
    this.#emptyDocuments = emptyDocuments;
  }

  /** @throws InvalidDataError naming the document if it is empty and that is an error. */
  add({ text, label, name }: Document): void {
    if (isEmpty(text)) {
      if (this.#emptyDocuments === 'error')
        throw new InvalidDataError(`The document ${name} of ${this.#source} is empty`);
      this.#empty++;
      if (this.#emptyDocuments === 'skip') return;
    }
    this.#texts.push(text);
    this.#labels.push(label);
    this.#names.push(name);
  }

  /** @throws InvalidDataError if there is no document. */
  finish(classNames: readonly string[]): LabelledTexts {
    if (this.#texts.length === 0) {
      const but = this.#empty > 0 ? ` but ${this.#empty} empty ones` : '';
      throw new InvalidDataError(`${this.#source} holds no document${but}`);
    }
    return {
      texts: this.#texts,
      labels: Int32Array.from(this.#labels),
      classNames: [...classNames],
      names: this.#names,
      emptyDocuments: this.#empty,
    };
  }
}

function isEmpty(text: string): boolean {
  return !/\S/.test(text);
}
