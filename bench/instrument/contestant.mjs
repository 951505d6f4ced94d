/**
 * A program that is measured beside others. It is asked by lines on its standard input, `<call> <JSON>`, and answers
 * each with one line of JSON on its standard output, `{"error": ...}` where it failed.
 *
 * It lives as long as the run, so that what it loads and traces is no part of any measurement. While others have their
 * turn it is stopped (SIGSTOP): threads that would spin for work cost the others nothing, and in its own turn it may
 * spin as it likes.
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const KEPT_ERROR_LINES = 20;

export class Contestant {
  #child;
  #answers;
  #errors = [];

  /** @param command the program and its arguments */
  constructor(name, command, env = {}) {
    this.name = name;
    const [program, ...args] = command;
    this.#child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    alive.add(this.#child);
    this.#child.on('close', () => alive.delete(this.#child));
    this.#child.on('error', (error) => this.#errors.push(error.message));
    this.#child.stdin.on('error', () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#errors.push(line);
      if (this.#errors.length > KEPT_ERROR_LINES) this.#errors.shift();
    });
  }

  /** @throws Error with what the program said of it, or its last words where it ended */
  async call(call, details = {}) {
    this.#child.kill('SIGCONT');
    this.#child.stdin.write(`${call} ${JSON.stringify(details)}\n`);
    const { value: line, done } = await this.#answers.next();
    if (done) throw new Error(`${this.name} ended in ${call}:\n${this.#errors.join('\n')}`);
    this.#child.kill('SIGSTOP');
    const answer = JSON.parse(line);
    if (answer.error !== undefined) throw new Error(`${this.name} failed in ${call}: ${answer.error}`);
    return answer;
  }

  end() {
    this.#child.kill('SIGKILL');
  }
}
