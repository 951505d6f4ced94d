/** The sentence in which this package reports a bad option: `Expected a positive integer for units but received 0 of type number`. */

/** `expected` is what the option takes ("a positive integer"), `name` the option as the caller wrote it. */
export function expectation(expected: string, name: string, received: unknown): string {
  return `Expected ${expected} for ${name} but received ${describe(received)}`;
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return `${inWords(value)} of type ${Array.isArray(value) ? 'array' : typeof value}`;
}

const LONGEST = 80;

function inWords(value: NonNullable<unknown>): string {
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  if (typeof value !== 'object' && typeof value !== 'string') return String(value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // Cyclic or throwing objects are named by their class alone.
  }
  text ??= Object.prototype.toString.call(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
