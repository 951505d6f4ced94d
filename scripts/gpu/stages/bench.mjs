/** bench/gpu.mjs, with its figures among the results. */

import { join } from 'node:path';
import process from 'node:process';
import { root } from '../../setup/command.mjs';
import { PYTHON } from '../machine.mjs';

/** All comparisons take about half of it; each of them has limits of its own. */
const SECONDS = 900;

export async function bench(steps) {
  const seconds = Math.min(SECONDS, steps.secondsLeft - 5);
  const { output } = await steps.run(
    'bench/gpu.mjs',
    process.execPath,
    [
      join(root, 'bench', 'gpu.mjs'),
      '--python',
      PYTHON,
      '--out',
      steps.folder,
      '--seconds',
      String(Math.floor(seconds)),
    ],
    { seconds: SECONDS },
  );
  console.log(output.trimEnd());
}
