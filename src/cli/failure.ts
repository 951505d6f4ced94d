/** How a command ends that cannot do its work: one line that says why, and the exit code. */

import { CommanderError } from 'commander';
import { InvalidArgumentError, SlimLstmError } from '../errors.js';

/** 0: done, 1: failed, 2: wrong usage. */
export type ExitCode = 0 | 1 | 2;

/**
 * Prints why a command failed to standard error and returns the exit code. With `json` the line is an object with
 * `error.code` and `error.message`. The stack is shown where `SLIM_LSTM_LOG` is set, and for errors that are not ours.
 */
export function reportFailure(error: unknown, json: boolean): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof SlimLstmError ? error.code : 'ERR_UNEXPECTED';
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`slim-lstm: ${message}\n`);
  const unexpected = !(error instanceof SlimLstmError);
  if (!json && error instanceof Error && (unexpected || process.env.SLIM_LSTM_LOG)) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  return error instanceof InvalidArgumentError ? 2 : 1;
}
