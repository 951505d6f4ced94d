import type { Logs } from '../metrics.js';
import type { Callback, EpochProgress, Training } from './callback.js';

/** Where the line is written: a terminal (`isTTY`), or anything that takes text. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressLineOptions {
  /** Default `process.stdout`. */
  readonly stream?: ProgressStream;
}

const BAR = 10;
// A terminal that is redrawn more often than this only flickers.
const REDRAW_SECONDS = 0.1;

class ProgressLine implements Callback {
  readonly #stream: ProgressStream;
  #drawn = 0;
  #last: EpochProgress | null = null;

  constructor({ stream = process.stdout }: ProgressLineOptions) {
    this.#stream = stream;
  }

  onEpochBegin(epoch: number, { epochs }: Training): void {
    this.#drawn = 0;
    this.#last = null;
    this.#stream.write(`Epoch ${epoch + 1}/${epochs}\n`);
  }

  onProgress(progress: EpochProgress, training: Training): void {
    this.#last = progress;
    if (this.#stream.isTTY !== true || progress.seconds - this.#drawn < REDRAW_SECONDS) return;
    this.#drawn = progress.seconds;
    const left = (progress.seconds / Math.max(1, progress.steps)) * (training.stepsPerEpoch - progress.steps);
    this.#redraw(line(progress, progress.logs, training, `${duration(left)} left`));
  }

  onEpochEnd(_epoch: number, logs: Logs, training: Training): void {
    if (this.#last === null) return;
    const text = line(this.#last, logs, training, duration(this.#last.seconds));
    if (this.#stream.isTTY === true) this.#redraw(text);
    this.#stream.write(this.#stream.isTTY === true ? '\n' : `${text}\n`);
    this.#last = null;
  }

  onTrainFailed(): void {
    if (this.#stream.isTTY === true && this.#last !== null) this.#stream.write('\n');
    this.#last = null;
  }

  /** One line, cut at the terminal's width so that the next one covers it. */
  #redraw(text: string): void {
    const width = this.#stream.columns;
    this.#stream.write(`\r\u001B[2K${width === undefined ? text : text.slice(0, Math.max(1, width - 1))}`);
  }
}

function line(progress: EpochProgress, logs: Logs, { stepsPerEpoch }: Training, time: string): string {
  const filled = Math.floor((BAR * progress.steps) / stepsPerEpoch);
  const bar = '━'.repeat(filled) + '─'.repeat(BAR - filled);
  const steps = String(progress.steps).padStart(String(stepsPerEpoch).length);
  const speed = progress.seconds > 0 ? Math.round(progress.samples / progress.seconds) : 0;
  const numbers = Object.keys(logs)
    .sort()
    .map((name) => ` - ${name}: ${short(logs[name] as number)}`);
  return `${steps}/${stepsPerEpoch} ${bar} ${time} ${speed} samples/s${numbers.join('')}`;
}

function short(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  return Math.abs(value) < 1e-3 ? value.toExponential(4) : value.toFixed(4);
}

function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 60) return `${Math.round(seconds)}s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
}

/** Shows how a run goes on: on a terminal one line that is redrawn, elsewhere one plain line an epoch. */
export function progressLine(options: ProgressLineOptions = {}): Callback {
  return new ProgressLine(options);
}
