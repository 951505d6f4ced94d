/** The steps of a run: programs under a time limit, whose outcomes are kept whatever becomes of the next one. */

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from '../setup/command.mjs';
import { factLines } from './machine.mjs';

/** Bytes of a step's output that are kept for whoever reads its outcome. */
const KEPT = 1 << 22;
/** Lines of a failed step's output that are shown, and characters of each. */
const LINES_SHOWN = 12;
const LONGEST_LINE = 240;
/** A step is not begun for less, in seconds. */
const LEAST_SECONDS = 3;

export class Steps {
  #facts;
  #deadline;
  #stage = '';
  #log;
  #begun = Date.now();
  #results = [];
  #notes = [];

  /** @param deadline milliseconds since 1970, after which nothing runs */
  constructor({ facts, folder, deadline }) {
    this.folder = folder;
    this.#facts = facts;
    this.#deadline = deadline;
    mkdirSync(folder, { recursive: true });
    this.#log = createWriteStream(join(folder, 'log.txt'), { flags: 'a' });
    for (const line of factLines(facts)) console.log(line);
  }

  begin(stage) {
    this.#stage = stage;
    console.log(`\n== ${stage}`);
    this.#log.write(`\n== ${stage}\n`);
  }

  get secondsLeft() {
    return (this.#deadline - Date.now()) / 1000;
  }

  /**
   * Runs a program; resolves its outcome, `{ outcome, output, seconds }`, and never rejects.
   *
   * @param seconds its time limit; after it, the program and all that it began are killed
   * @param counts tells from its output how many cases `{ passed, failed, skipped }`; undefined: the step is one case
   */
  async run(name, command, args, { seconds, env = {}, counts = () => undefined } = {}) {
    const limit = Math.min(seconds, this.secondsLeft);
    if (limit < LEAST_SECONDS) return this.skip(name, 'no time is left');
    this.#log.write(`\n-- ${name}: ${[command, ...args].join(' ')}\n`);
    const begun = Date.now();
    const { status, output, timedOut, error } = await this.#spawn(command, args, env, limit);
    const outcome = timedOut ? 'timed out' : status === 0 ? 'passed' : 'failed';
    const told = counts(output);
    return this.#keep({
      name,
      outcome,
      seconds: (Date.now() - begun) / 1000,
      // A program that failed without telling a failed case, by a crash say, is one failure.
      passed: told?.passed ?? (outcome === 'passed' ? 1 : 0),
      failed: Math.max(told?.failed ?? 0, outcome === 'passed' ? 0 : 1),
      skipped: told?.skipped ?? 0,
      output,
      detail: outcome === 'passed' ? '' : (error ?? statusInWords(status, timedOut, limit)),
    });
  }

  skip(name, reason) {
    return this.#keep({
      name,
      outcome: 'skipped',
      seconds: 0,
      passed: 0,
      failed: 0,
      skipped: 1,
      output: '',
      detail: reason,
    });
  }

  /** For what failed outside of any program. */
  failed(name, error) {
    const detail = error instanceof Error ? error.message : String(error);
    return this.#keep({ name, outcome: 'failed', seconds: 0, passed: 0, failed: 1, skipped: 0, output: '', detail });
  }

  /** Something for the summary to tell. */
  note(text) {
    console.log(text);
    this.#notes.push(text);
  }

  /** Writes a file among the results. */
  write(name, content) {
    writeFileSync(join(this.folder, name), content);
  }

  /** The last words: a line for each stage, then the failures. */
  finish() {
    console.log(`\n${this.#summary().join('\n')}`);
    process.exitCode = this.#results.some(({ failed }) => failed > 0) ? 1 : 0;
  }

  #spawn(command, args, env, limit) {
    return new Promise((resolve) => {
      const child = spawn(command, args, {
        cwd: root,
        env: { ...process.env, ...this.#facts.environment, ...env },
        // A group of its own, so that all of it can be ended.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [output, timedOut] = ['', false];
      const timer = setTimeout(() => {
        timedOut = true;
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          // It ended at this moment.
        }
      }, limit * 1000);
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8');
        stream.on('data', (text) => {
          this.#log.write(text);
          output = (output + text).slice(-KEPT);
        });
      }
      const end = (result) => {
        clearTimeout(timer);
        resolve({ output, timedOut, ...result });
      };
      child.on('error', ({ message }) => end({ status: 127, error: message }));
      child.on('close', (code, signal) => end({ status: code ?? signal }));
    });
  }

  #keep(result) {
    this.#results.push({ stage: this.#stage, ...result });
    const { name, outcome, seconds, passed, failed, skipped, detail } = result;
    const cases =
      passed + failed > 1 ? `, ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}` : '';
    const words = `${outcome.padEnd(9)} ${name} (${seconds.toFixed(1)} s${cases})${detail === '' ? '' : `: ${detail}`}`;
    console.log(words);
    this.#log.write(`${words}\n`);
    if (failed > 0) for (const line of tellingLines(result.output)) console.log(`    ${line}`);
    this.write('summary.json', `${JSON.stringify(this.#record(), null, 1)}\n`);
    this.write('summary.md', `${this.#summary().join('\n')}\n`);
    return result;
  }

  #record() {
    const steps = this.#results.map(({ output, failed, ...rest }) => ({
      ...rest,
      failed,
      ...(failed > 0 ? { tellingLines: tellingLines(output) } : {}),
    }));
    return {
      notes: this.#notes,
      date: new Date().toISOString(),
      machine: this.#facts,
      seconds: (Date.now() - this.#begun) / 1000,
      steps,
    };
  }

  #summary() {
    const sum = (results, key) => results.reduce((total, result) => total + result[key], 0);
    const stages = [...new Set(this.#results.map(({ stage }) => stage))].map((stage) => {
      const results = this.#results.filter((result) => result.stage === stage);
      const cells = [
        stage,
        sum(results, 'seconds').toFixed(0),
        ...['passed', 'failed', 'skipped'].map((key) => sum(results, key)),
      ];
      return `| ${cells.join(' | ')} |`;
    });
    const named = (outcomes, title) => {
      const found = this.#results.filter(({ outcome, failed }) => outcomes(outcome, failed));
      return found.length === 0
        ? []
        : [
            '',
            title,
            '',
            ...found.map(({ stage, name, detail }) => `- ${stage}: ${name}${detail ? `: ${detail}` : ''}`),
          ];
    };
    return [
      ...factLines(this.#facts),
      '',
      '| stage | seconds | passed | failed | skipped |',
      '|---|---|---|---|---|',
      ...stages,
      ...(this.#notes.length === 0 ? [] : ['', ...this.#notes]),
      ...named((outcome) => outcome === 'skipped', 'Skipped:'),
      ...named((outcome, failed) => outcome !== 'skipped' && failed > 0, 'Failed:'),
      '',
      `${sum(this.#results, 'passed')} passed, ${sum(this.#results, 'failed')} failed, ${sum(this.#results, 'skipped')} skipped; all of it lies in ${this.folder}`,
    ];
  }
}

function statusInWords(status, timedOut, limit) {
  if (timedOut) return `killed after ${limit.toFixed(0)} s`;
  return typeof status === 'number' ? `exit status ${status}` : `ended by ${status}`;
}

/** What tests, compilers and the sanitizer say of a failure; the last lines of a program that says nothing of the kind. */
const TELLING =
  /^FAILED |\.(cc|cu|h|ts|mjs)(:\d+|\(\d+\)): |^\s*(×|FAIL) |^\s*\w*Error: |error:|^=+ (Error|Warning|Invalid|Barrier|Program hit|ERROR SUMMARY: [1-9])/;

function tellingLines(output) {
  const lines = output.trimEnd().split('\n');
  const telling = lines.filter((line) => TELLING.test(line));
  const shown = telling.length > 0 ? telling.slice(0, LINES_SHOWN) : lines.slice(-LINES_SHOWN);
  return shown.map((line) => line.slice(0, LONGEST_LINE));
}
