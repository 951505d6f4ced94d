/** Ctrl-C: the first asks a command to end cleanly, the second ends the process. */

import { SlimLstmError } from '../errors.js';

/** Why a command stopped that was interrupted. */
export class Interruption extends SlimLstmError {
  constructor(message = 'Interrupted') {
    super('ERR_INTERRUPTED', message);
  }
}

/** Runs `work` with a signal that SIGINT and SIGTERM abort. */
export async function withInterruption<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    // Without a listener the next one has its usual effect.
    stopListening();
    controller.abort(new Interruption());
  };
  const stopListening = () => {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    stopListening();
  }
}
