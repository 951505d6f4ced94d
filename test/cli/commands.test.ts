/** The command line as a user meets it: whole processes, their output and exit codes. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lines, main, type Outcome, run } from './process.js';

const sample = fileURLToPath(new URL('../../examples/data/', import.meta.url));

// Two kinds of documents that share no word: what can be learnt at all is learnt.
const topics = {
  sea: [
    'the ship sailed over the deep blue sea',
    'waves and wind carried the boat to the harbour',
    'a sailor saw a whale',
  ],
  kitchen: ['boil the soup with salt and pepper', 'the oven bakes bread and cake', 'cut onions for a stew'],
};

let folder: string;
let data: string;
// Of 249 tokens the pools drop none: 249 - 4 = 5 * 49, 49 - 4 = 5 * 9, 9 - 4 = 5.
const small = [
  ...[
    '--max-length',
    '249',
    '--units',
    '8',
    '--filters',
    '16',
    '--batch-size',
    '8',
    '--epochs',
    '12',
    '--learning-rate',
    '5e-3',
  ],
  ...['--convolution-dropout', '0', '--dropout', '0', '--recurrent-dropout', '0', '--threads', '2'],
  ...['--precision', 'tf32'],
];

const epochs = Array.from({ length: 12 }, (_, i) => i + 1);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slim-lstm-cli-'));
  data = join(folder, 'topics.csv');
  const rows = Array.from({ length: 60 }, (_, i) => {
    const label = i % 2 === 0 ? 'sea' : 'kitchen';
    return `"${topics[label][i % 3]}",${label}`;
  });
  await writeFile(data, ['text,label', ...rows].join('\n'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('slim-lstm train, evaluate and predict', () => {
  let out: string;
  let trained: Outcome;

  beforeAll(async () => {
    out = join(folder, 'run');
    trained = await run(['train', '--data', data, ...small, '--out', out, '--json']);
  });

  it('prints one JSON object for each epoch and one for the result', () => {
    expect(trained.err).toBe('');
    expect(trained.code).toBe(0);
    const objects = lines(trained.out).map((line) => JSON.parse(line));
    expect(objects.map(({ epoch }) => epoch)).toEqual([...epochs, undefined]);
    expect(objects[0]).toMatchObject({ loss: expect.any(Number), val_accuracy: expect.any(Number) });
    expect(objects[12].model).toBe(join(out, 'model'));
    expect(objects[11].loss).toBeLessThan(0.5 * objects[0].loss);
  });

  it('leaves the model, its curves and a record of the run', async () => {
    expect((await readdir(out)).sort()).toEqual(['history.json', 'model', 'run.json']);
    const history = JSON.parse(await readFile(join(out, 'history.json'), 'utf8'));
    expect(history.epoch).toEqual(epochs.map((epoch) => epoch - 1));
    expect(history.history.val_loss).toHaveLength(12);
  });

  it('saves the precision with the model, in place of which evaluate and predict take another', async () => {
    expect(JSON.parse(await readFile(join(out, 'model', 'model.json'), 'utf8')).precision).toBe('tf32');
    expect(JSON.parse(await readFile(join(out, 'run.json'), 'utf8')).options.precision).toBe('tf32');
    const asSaved = await run(['predict', out, 'waves and wind']);
    const other = await run(['predict', out, '--precision', 'bfloat16', 'waves and wind']);
    const evaluated = await run(['evaluate', out, '--data', data, '--precision', 'float32']);
    expect([other.err, evaluated.err]).toEqual(['', '']);
    // On a device that rounds the probability may differ, but not the class.
    expect(other.out.split(' ')[0]).toBe(asSaved.out.split(' ')[0]);
  });

  it('evaluate and predict take another implementation in place of the saved one', async () => {
    const asSaved = await run(['predict', out, 'waves and wind']);
    const other = await run(['predict', out, '--implementation', 'slim', 'waves and wind']);
    expect(other).toEqual(asSaved);
    const evaluated = await run(['evaluate', out, '--data', data, '--device', 'cpu', '--implementation', 'cudnn']);
    expect(evaluated.err).toContain("The implementation 'cudnn' needs a CUDA device");
  });

  it('finds the validation part again: evaluate gives the accuracy that train gave', async () => {
    const evaluated = await run(['evaluate', out, '--data', data, '--part', 'validation', '--json']);
    expect(evaluated.err).toBe('');
    const { documents, accuracy, loss } = JSON.parse(evaluated.out);
    const last = JSON.parse(lines(trained.out).at(-2) as string);
    expect(documents).toBe(12);
    expect(accuracy).toBeCloseTo(last.val_accuracy, 6);
    expect(loss).toBeCloseTo(last.val_loss, 4);
  });

  it('predicts arguments, a file and lines alike', async () => {
    const [text, other] = [topics.sea[0] as string, topics.kitchen[0] as string];
    const file = join(folder, 'text.txt');
    await writeFile(file, text);
    const byArgument = await run(['predict', out, text, other]);
    const byLine = await run(['predict', out], `${text}\n\n${other}\n`);
    const byFile = await run(['predict', out, '--file', file]);
    expect(byArgument.code).toBe(0);
    expect(lines(byArgument.out)).toHaveLength(2);
    expect(lines(byLine.out)).toEqual([lines(byArgument.out)[0], '', lines(byArgument.out)[1]]);
    expect(lines(byFile.out)).toEqual([lines(byArgument.out)[0]]);
  });

  it('reads lines as they come: CRLF, characters and lines in pieces, a last line without an end', async () => {
    const child = spawn(process.execPath, [main, 'predict', out, '--json']);
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += text;
    });
    const bytes = Buffer.from('waves and wind\r\n\nthe sea \u2028 ünd the kitchen');
    child.stdin.write(bytes.subarray(0, 17));
    // The first lines are answered while the pipe stays open.
    while (lines(printed).length < 2) await once(child.stdout, 'data');
    // In the middle of the ü.
    child.stdin.write(bytes.subarray(17, 30));
    child.stdin.end(bytes.subarray(30));
    await once(child, 'close');
    const texts = lines(printed).map((line) => JSON.parse(line).text);
    expect(texts).toEqual(['waves and wind', '', 'the sea \u2028 ünd the kitchen']);
  });

  it('predict ends at Ctrl-C while it waits for a line', async () => {
    const child = spawn(process.execPath, [main, 'predict', out]);
    let err = '';
    child.stderr.on('data', (text) => {
      err += text;
    });
    child.stdin.write('waves and wind\n');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect([code, err]).toEqual([1, 'slim-lstm: Interrupted\n']);
  });

  it('gives the probabilities of all classes as JSON', async () => {
    const { out: printed } = await run(['predict', out, '--json', 'waves and wind']);
    const { label, probabilities } = JSON.parse(printed);
    expect(Object.keys(probabilities).sort()).toEqual(['kitchen', 'sea']);
    expect(probabilities[label]).toBe(Math.max(...(Object.values(probabilities) as number[])));
    expect(probabilities.sea + probabilities.kitchen).toBeCloseTo(1, 5);
  });

  it('ends where the loss is no number any more, and keeps the model of the epoch before', async () => {
    const wild = join(folder, 'wild');
    const first = await run(['train', '--data', data, ...small, '--epochs', '1', '--out', wild]);
    expect(first.code).toBe(0);
    const saved = await readFile(join(wild, 'model', 'weights.safetensors'));
    const options = ['--optimizer', 'sgd', '--learning-rate', '1e30', '--epochs', '4', '--overwrite'];
    const diverged = await run(['train', '--data', data, ...small, ...options, '--out', wild]);
    expect(diverged.err).toMatch(/^slim-lstm: The loss is \S+ after epoch 1: try a smaller --learning-rate$/m);
    expect(diverged.code).toBe(1);
    expect(await readFile(join(wild, 'model', 'weights.safetensors'))).toEqual(saved);
  });

  it('ends at Ctrl-C with the model as it was then, and the exit code of a failure', async () => {
    const interrupted = join(folder, 'interrupted');
    const options = ['--epochs', '100000', '--out', interrupted, '--json'];
    const child = spawn(process.execPath, [main, 'train', '--data', data, ...small, ...options]);
    let err = '';
    child.stderr.on('data', (text) => {
      err += text;
    });
    child.stdout.once('data', () => child.kill('SIGINT'));
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    const { error } = JSON.parse(err);
    expect(error.code).toBe('ERR_INTERRUPTED');
    expect(error.message).toMatch(/^Interrupted in epoch \d+; the model as it was then is in /);
    expect((await run(['predict', interrupted, 'waves and wind'])).code).toBe(0);
  });

  it('does not write over an earlier run unless told to', async () => {
    const refused = await run(['train', '--data', data, ...small, '--out', out]);
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/is not empty; name another with --out, or add --overwrite/);
  });
});

describe('slim-lstm as a program', () => {
  it.each([
    ['an unknown variant, with the nearest name', ['--variant', 'LSMT3'], 2, /LSTM3/],
    ['a learning rate of 0', ['--learning-rate', '0'], 2, /above 0/],
    ['zero units', ['--units', '0'], 2, /positive integer/],
    ['an unknown option, with the nearest name', ['--varient', 'LSTM'], 2, /--variant/],
    ['a length too short for three convolutions', ['--max-length', '248'], 2, /--max-length of 249 or more/],
    ['vectors that are not there', ['--vectors', 'missing.txt'], 1, /Cannot read missing.txt: there is no such file/],
    [
      'an epsilon that nothing reads',
      ['--optimizer', 'sgd', '--epsilon', '1e-8'],
      2,
      /no --epsilon for the optimizer sgd/,
    ],
    ['an unknown precision', ['--precision', 'half'], 2, /float32, tf32, bfloat16/],
    ['a device that is not there', ['--device', 'cuda'], 1, /cuda/],
  ])('refuses %s', async (_what, args, code, message) => {
    const outcome = await run(['train', '--data', data, '--out', join(folder, 'refused'), '--overwrite', ...args]);
    expect(outcome.err).toMatch(message);
    expect(outcome.err).not.toMatch(/\n\s+at /);
    expect(outcome.code).toBe(code);
  });

  it('names a folder that is not there, and a file in its place', async () => {
    const missing = await run(['predict', join(folder, 'nowhere'), 'a text']);
    expect(missing.err).toMatch(/^slim-lstm: Cannot read .*nowhere: there is no such folder$/m);
    const taken = await run(['train', '--data', data, '--out', data]);
    expect(taken.err).toBe(`slim-lstm: Cannot write ${data}: there is a file of that name\n`);
    expect([missing.code, taken.code]).toEqual([1, 1]);
  });

  it('names a missing file, as an object with --json', async () => {
    const outcome = await run(['train', '--data', join(folder, 'missing'), '--out', join(folder, 'x'), '--json']);
    expect(outcome.code).toBe(1);
    expect(JSON.parse(outcome.err).error).toMatchObject({ code: 'ERR_FILE_ACCESS' });
  });

  it('explains itself: --help of every command, and what doctor finds', async () => {
    for (const command of ['train', 'evaluate', 'predict', 'doctor']) {
      const { code, out } = await run([command, '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`Usage: slim-lstm ${command}`);
    }
    const { code, out } = await run(['doctor', '--json']);
    const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: { name: string; ok: boolean }[] };
    expect(ok).toBe(true);
    expect(code).toBe(0);
    expect(checks.find(({ name }) => name === 'training, cpu')?.ok).toBe(true);
    const inWords = lines((await run(['doctor'])).out);
    expect(inWords.at(-1)).toMatch(/^Everything that is needed works\./);
    const marks = inWords.slice(0, -1).filter((line) => !line.startsWith('      '));
    expect(marks.map((line) => line.slice(0, 4).trim())).toEqual(checks.map((check) => (check.ok ? 'ok' : '-')));
  });

  it('learns from the sample of posts in the repository', async () => {
    const out = join(folder, 'posts');
    const {
      code,
      err,
      out: printed,
    } = await run([
      ...['train', '--data', join(sample, '20news-sample.tar.gz'), '--vectors', join(sample, 'vectors.100d.txt.gz')],
      ...['--epochs', '3', '--batch-size', '32', '--out', out, '--json'],
    ]);
    expect(err).toBe('');
    expect(code).toBe(0);
    const losses = lines(printed)
      .slice(0, 3)
      .map((line) => JSON.parse(line).loss as number);
    expect(losses[2]).toBeLessThan(losses[0] as number);
  });
});
