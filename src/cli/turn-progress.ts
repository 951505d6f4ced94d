/** How far a measurement is: one line of a terminal that is redrawn; elsewhere nothing. */

import type { ProgressStream } from '../model/callbacks/progress-line.js';

// A terminal that is redrawn more often than this only flickers.
const REDRAW_MILLISECONDS = 100;

export class TurnProgress {
  readonly #stream: ProgressStream;
  readonly #shown: boolean;
  #title = '';
  #began = 0;
  #drawn = 0;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
    this.#shown = stream.isTTY === true;
  }

  begin(title: string): void {
    this.#title = title;
    this.#began = performance.now();
    this.#drawn = 0;
    this.#draw(title);
  }

  done(turns: number, of: number): void {
    const now = performance.now();
    if (now - this.#drawn < REDRAW_MILLISECONDS) return;
    this.#drawn = now;
    const left = ((now - this.#began) / turns) * (of - turns);
    this.#draw(`${this.#title}: ${turns} of ${of} turns, ${Math.ceil(left / 1000)} s left`);
  }

  /** Leaves an empty line for what comes next. */
  end(): void {
    this.#draw('');
  }

  /** Cut at the terminal's width, so that the next line covers it. */
  #draw(text: string): void {
    if (!this.#shown) return;
    this.#stream.write(`\r\u001B[2K${text.slice(0, Math.max(1, (this.#stream.columns ?? 80) - 1))}`);
  }
}
