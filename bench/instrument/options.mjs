/** The command line of the measuring programs. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The comment that a program's file begins with: what it does and its options. */
export function headOf(url) {
  const [, head = ''] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(fileURLToPath(url), 'utf8')) ?? [];
  return head.replaceAll(/^ \* ?/gm, '').trim();
}

/**
 * The values of `options`, in the form of `parseArgs`, for the program whose module is at `url`. `--help` shows its head,
 * an unknown option is named; both end the program.
 */
export function programOptions(url, options) {
  let values;
  try {
    ({ values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h', default: false } } }));
  } catch (error) {
    console.error(`${error.message}\n(add --help for the options)`);
    process.exit(2);
  }
  if (!values.help) return values;
  console.log(headOf(url));
  process.exit(0);
}

/** The option `name` of `values` as a positive integer; what is none is named and ends the program. */
export function positiveInteger(values, name) {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`Expected a positive integer for --${name} but received ${values[name]}`);
  process.exit(2);
}
