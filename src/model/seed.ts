import { randomInt } from 'node:crypto';

/** A seed for who gives none; below 2^32, so that it is short to write down. */
export function randomSeed(): number {
  return randomInt(2 ** 32);
}
