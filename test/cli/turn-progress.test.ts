import { expect, test } from 'vitest';
import { TurnProgress } from '../../src/cli/turn-progress.js';

function stream(isTTY: boolean) {
  const written: string[] = [];
  return { written, isTTY, columns: 20, write: (text: string) => written.push(text) };
}

test('on a terminal one line is redrawn, no longer than the terminal is wide, and erased at the end', () => {
  const terminal = stream(true);
  const progress = new TurnProgress(terminal);
  progress.begin('T 128');
  progress.done(3, 12);
  progress.done(4, 12);
  progress.end();
  expect(terminal.written[0]).toBe('\r\u001B[2KT 128');
  expect(terminal.written[1]).toBe('\r\u001B[2KT 128: 3 of 12 turn');
  expect(terminal.written.slice(2)).toEqual(['\r\u001B[2K']);
});

test('elsewhere nothing is written', () => {
  const pipe = stream(false);
  const progress = new TurnProgress(pipe);
  progress.begin('T 128');
  progress.done(3, 12);
  progress.end();
  expect(pipe.written).toEqual([]);
});
