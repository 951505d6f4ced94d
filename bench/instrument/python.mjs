/** The peers' Python: an environment of this project's own, or the one that the user names. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, root, run, SetupError } from '../../scripts/setup/command.mjs';

const FOLDER = join(root, 'build', 'peers-python');
const REQUIREMENTS = join(root, 'bench', 'peers', 'requirements.txt');

/**
 * The path of a Python that has what `bench/peers/requirements.txt` names. Made at the first call, by pip with the
 * settings it has on this machine, and kept until the requirements change.
 *
 * @param named a Python to use as it is
 */
export function peersPython(named) {
  if (named !== undefined) return named;
  const python = join(FOLDER, 'bin', 'python');
  const stamp = join(FOLDER, 'requirements.sha256');
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return python;
  if (outputOf('python3', ['--version']) === undefined) {
    throw new SetupError(
      'Expected python3 on the path, or a Python with the packages of bench/peers/requirements.txt for --python',
    );
  }
  rmSync(FOLDER, { recursive: true, force: true });
  run('python3', ['-m', 'venv', FOLDER]);
  run(python, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS]);
  writeFileSync(stamp, hash);
  return python;
}
