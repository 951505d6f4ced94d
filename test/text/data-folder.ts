import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the real data sets lie: `SLIM_LSTM_DATA`, or `shared/data` beside the repository. They are not part of it. */
export const dataFolder = process.env.SLIM_LSTM_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url));

/** Whether a data set is missing, for `skipIf`. */
export function isMissing(file: string): boolean {
  return !existsSync(join(dataFolder, file));
}
