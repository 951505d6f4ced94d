import { InvalidDataError } from '../errors.js';
import { nearestName } from '../nearest-name.js';
import type { LabelledTexts, LabelledTextsBuilder } from './labelled-texts.js';
import { sortByCodePoint } from './ordering.js';

/**
 * The class ids of rows. The labels that occur are sorted, as numbers if all are whole numbers, else as strings; or the
 * caller gives the classes, and every label has to be among them.
 */
export class RowClasses {
  readonly #given: readonly string[] | undefined;
  readonly #ids = new Map<string, number>();

  constructor(given: readonly string[] | undefined) {
    this.#given = given;
    for (const name of given ?? []) this.#ids.set(name, this.#ids.size);
  }

  /**
   * A preliminary id of `label`; `finish` makes it the final one.
   *
   * @throws InvalidDataError naming `where` for an empty label, or one that is not among the given classes.
   */
  idOf(label: string, where: string): number {
    if (label === '') throw new InvalidDataError(`Expected a label but ${where} has an empty one`);
    const known = this.#ids.get(label);
    if (known !== undefined) return known;
    if (this.#given !== undefined) {
      throw new InvalidDataError(
        `Expected a label among classes but ${where} has '${label}'; the nearest is '${nearestName(label, this.#given)}'`,
      );
    }
    const id = this.#ids.size;
    this.#ids.set(label, id);
    return id;
  }

  finish(documents: LabelledTextsBuilder): LabelledTexts {
    const names = this.#given ?? sortLabels([...this.#ids.keys()]);
    const result = documents.finish(names);
    const final = new Int32Array(names.length);
    names.forEach((name, id) => {
      final[this.#ids.get(name) as number] = id;
    });
    return { ...result, labels: result.labels.map((preliminary) => final[preliminary] as number) };
  }
}

function sortLabels(labels: string[]): string[] {
  const areNumbers = labels.every((label) => /^-?(0|[1-9][0-9]{0,14})$/.test(label));
  return areNumbers ? labels.sort((a, b) => Number(a) - Number(b)) : sortByCodePoint(labels);
}
