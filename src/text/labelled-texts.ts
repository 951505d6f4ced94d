import { choice } from '../arguments.js';
import { InvalidArgumentError, InvalidDataError } from '../errors.js';
import { expectation } from '../expectation.js';

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

/** @throws InvalidArgumentError */
export function checkedEmptyDocuments(value: unknown = 'keep'): EmptyDocuments {
  return choice(value, 'emptyDocuments', ['keep', 'skip', 'error']);
}

/**
 * The option `classes`: distinct names, at least one, or not given.
 *
 * @throws InvalidArgumentError
 */
export function checkedClasses(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const isList = Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === 'string');
  if (!isList) throw new InvalidArgumentError(expectation('an array of class names', 'classes', value));
  const repeated = value.find((entry, i) => value.indexOf(entry) !== i);
  if (repeated === undefined) return value;
  throw new InvalidArgumentError(`Expected distinct class names for classes but received '${repeated}' twice`);
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
