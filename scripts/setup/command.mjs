/** Running other programs from the set-up and check scripts. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A failure that one line tells in full: the scripts print its message without a stack. */
export class SetupError extends Error {}

/** Runs a program with this terminal's output; resolves nothing but its exit status, 127 when it cannot be started. */
export function statusOf(command, args, { cwd = root, env = process.env } = {}) {
  const result = spawnSync(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] });
  return result.error ? 127 : (result.status ?? 1);
}

/** As {@link statusOf}, but throws a {@link SetupError} unless the status is 0. */
export function run(command, args, options) {
  const status = statusOf(command, args, options);
  if (status !== 0) throw new SetupError(`${[command, ...args].join(' ')} failed with exit status ${status}`);
}

/** What a program writes on its standard output, or undefined when it is missing or fails. */
export function outputOf(command, args, { input = '', cwd = root } = {}) {
  const result = spawnSync(command, args, { cwd, input, encoding: 'utf8' });
  return result.error || result.status !== 0 ? undefined : result.stdout;
}

/** Runs a script's main function; a {@link SetupError} becomes one line and exit status 1. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`slim-lstm: ${error.message}`);
    process.exitCode = 1;
  }
}
