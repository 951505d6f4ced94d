/** Variants of one's own, from JSON files in the form of `defineVariant`. */

import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, InvalidFileError } from '../errors.js';
import { cannotRead } from '../file-access.js';
import { resolveVariant, type Variant, type VariantDefinition } from '../variants.js';

/**
 * The variant that a file holds, or an array's.
 *
 * @throws FileAccessError if it cannot be read; InvalidFileError if it is no JSON; InvalidArgumentError naming the file
 *   and what of the variant is wrong.
 */
export async function readVariants(file: string): Promise<Variant[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw cannotRead(file, cause);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new InvalidFileError('ERR_JSON', `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const definitions = Array.isArray(content) ? content : [content];
  return definitions.map((definition: unknown) => {
    try {
      return resolveVariant(definition as VariantDefinition);
    } catch (cause) {
      throw new InvalidArgumentError(`${(cause as Error).message} (in ${file})`, { cause });
    }
  });
}

/**
 * The one variant of a file where the name given ends in `.json`; anything else as it is.
 *
 * @throws InvalidArgumentError for a file of none or of several; what {@link readVariants} throws.
 */
export async function variantOrName(given: Variant | string): Promise<Variant | string> {
  if (typeof given !== 'string' || !given.toLowerCase().endsWith('.json')) return given;
  const [variant, ...others] = await readVariants(given);
  if (variant === undefined || others.length > 0) {
    const count = variant === undefined ? 0 : others.length + 1;
    throw new InvalidArgumentError(`Expected one variant in ${given} but received an array of ${count}`);
  }
  return variant;
}
