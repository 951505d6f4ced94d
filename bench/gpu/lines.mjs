/** Programs that tell their results as lines of JSON. */

import { spawn } from 'node:child_process';
import { root } from '../../scripts/setup/command.mjs';

/**
 * The results of a program, those from before its end too where it was killed at its time limit or failed.
 *
 * @returns `{ lines, problem }`; `problem` is undefined where it ended well
 */
export function resultLines(command, args, { seconds, env = {} }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const written = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => {
        written[stream] += text;
      });
    }
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, seconds * 1000);
    const end = (problem) => {
      clearTimeout(timer);
      resolve({ lines: parsed(written.stdout), problem });
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => {
      if (timedOut) end(`killed after ${Math.round(seconds)} s`);
      else if (code === 0) end(undefined);
      else end(`${signal ?? `exit status ${code}`}: ${written.stderr.trimEnd().split('\n').slice(-4).join(' | ')}`);
    });
  });
}

/** The last line may be half written. */
function parsed(text) {
  return text.split('\n').flatMap((line) => {
    try {
      return line.startsWith('{') ? [JSON.parse(line)] : [];
    } catch {
      return [];
    }
  });
}
