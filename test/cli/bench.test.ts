/** `slim-lstm bench` as a user meets it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cost, variants } from '../../src/index.js';
import { speedLegend } from '../../src/report/speed-table.js';
import { allElements, parseXml } from '../report/xml.js';
import { lines, main, run } from './process.js';

const quick = ['--repeats', '3', '--warmups', '0', '--threads', '1'];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slim-lstm-bench-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The first words of the table's lines under a title. */
function namesUnder(printed: string, title: string): string[] {
  const all = lines(printed);
  const begin = all.indexOf(title) + 2;
  const end = all.indexOf('', begin);
  return all.slice(begin, end < 0 ? undefined : end).map((line) => line.split(' ')[0] as string);
}

describe('slim-lstm bench', () => {
  it('prints a table of all variants for each pass at each size', async () => {
    const { code, out, err } = await run(['bench', '--sizes', '6,2,3,4', '--sizes', '5,1,1,20', ...quick]);
    expect(err).toBe('');
    expect(code).toBe(0);
    for (const size of ['T 6, B 2, m 3, n 4', 'T 5, B 1, m 1, n 20']) {
      expect(namesUnder(out, `${size}: forward`)).toEqual(Object.keys(variants));
      expect(namesUnder(out, `${size}: forward + backward`)).toEqual(Object.keys(variants));
    }
    expect(lines(out)[0]).toMatch(/^slim-lstm \d.*, float32, cpu \(.+, 1 thread\), .*Node v\d/);
  });

  it('prints one object with every time with --json, consistent in itself', async () => {
    const options = [
      '--variants',
      'LSTM3,LSTM_C6',
      '--sizes',
      '6,2,3,4',
      '--bidirectional',
      '--precision',
      'tf32',
      '--json',
    ];
    const { code, out, err } = await run(['bench', ...options, ...quick]);
    expect(err).toBe('');
    expect(code).toBe(0);
    const record = JSON.parse(out);
    expect(record).toMatchObject({
      repeats: 3,
      warmups: 0,
      // The CPU has no other.
      precision: 'float32',
      interrupted: false,
      machine: { cores: expect.any(Number) },
    });
    const [result] = record.results;
    expect(result).toMatchObject({ steps: 6, batch: 2, inputSize: 3, units: 4, bidirectional: true });
    expect(result.variants.map(({ name }: { name: string }) => name)).toEqual(['LSTM', 'LSTM3', 'LSTM_C6']);
    const [lstm, lstm3] = result.variants;
    expect(lstm3.parameters).toBe(2 * cost('LSTM3', { inputSize: 3, units: 4 }).parameters);
    for (const pass of ['forward', 'training']) {
      const { milliseconds, median, gflops, speedup, saving, flops } = lstm3[pass];
      expect(milliseconds).toHaveLength(3);
      expect(median).toBe([...milliseconds].sort((a: number, b: number) => a - b)[1]);
      expect(gflops).toBeCloseTo(flops / median / 1e6, 9);
      expect(speedup).toBeCloseTo(lstm[pass].median / median, 9);
      expect(saving).toBeCloseTo(speedup / (lstm[pass].flops / flops), 9);
    }
  });

  it('times variants of one own from a file, and draws a picture of all', async () => {
    const file = join(folder, 'own.json');
    const candidate = { input: true, recurrent: 'full', bias: true };
    const own = [
      { name: 'a <b>', input: { constant: 1 }, forget: { recurrent: 'full' }, candidate, output: { constant: 1 } },
      { name: 'second', input: { input: true }, forget: { constant: 0.5 }, candidate, output: { bias: true } },
    ];
    await writeFile(file, JSON.stringify(own));
    const svg = join(folder, 'speed.svg');
    const sizes = ['--sizes', '6,2,3,4', '--sizes', '9,2,3,4'];
    const { code, out, err } = await run(['bench', '--variant-file', file, ...sizes, '--svg', svg, ...quick]);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(lines(out)).toContain(`The picture is in ${svg}`);
    const elements = allElements(parseXml(await readFile(svg, 'utf8')));
    const ofClass = (name: string) => elements.filter(({ attributes }) => attributes.class === name);
    expect(ofClass('head').map(({ text }) => text)).toEqual(['T 6, B 2, m 3, n 4', 'T 9, B 2, m 3, n 4']);
    expect(ofClass('name').map(({ text }) => text)).toEqual(['LSTM', 'a <b>', 'second', 'LSTM', 'a <b>', 'second']);
  });

  it('times a training step of the whole network with --model, on tokens or on documents', async () => {
    const data = join(folder, 'posts.csv');
    const rows = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'a ship at sea,sea' : 'salt in the soup,kitchen'));
    await writeFile(data, ['text,label', ...rows].join('\n'));
    const options = ['--model', '--variants', 'LSTM6', '--batch-size', '2', '--repeats', '1', '--warmups', '0'];
    const { code, out, err } = await run(['bench', ...options, '--json']);
    expect(err).toBe('');
    expect(code).toBe(0);
    const [{ variants: timed }] = JSON.parse(out).results;
    expect(timed.map(({ name }: { name: string }) => name)).toEqual(['LSTM', 'LSTM6']);
    const [, { training, samplesPerSecond }] = timed;
    expect(samplesPerSecond).toBeCloseTo(2000 / training.median, 6);
    // Without padding skipped or words told apart the first convolution has 996 windows of 5 x 100 x 128 multiply-adds,
    // forward and, its input being frozen, of its weights.
    expect(training.flops).toBeGreaterThan(2 * 2 * 2 * 996 * 5 * 100 * 128);

    const onPosts = await run(['bench', ...options, '--data', data]);
    expect(onPosts.err).toBe('');
    expect(onPosts.out).toContain(`8 documents of ${data}`);
  });

  it('says with --help what its columns mean and what counts as an operation', async () => {
    const { code, out } = await run(['bench', '--help']);
    expect(code).toBe(0);
    expect(out).toContain('Usage: slim-lstm bench');
    for (const line of speedLegend) expect(out).toContain(line);
  });

  it('ends at Ctrl-C with what is complete, and the exit code of a failure', async () => {
    const svg = join(folder, 'interrupted.svg');
    const sizes = ['--sizes', '2,1,1,1', '--sizes', '500,64,64,256'];
    const options = ['--variants', 'LSTM3', ...sizes, '--repeats', '5000', '--threads', '1', '--svg', svg];
    const child = spawn(process.execPath, [main, 'bench', ...options]);
    let [out, err] = ['', ''];
    child.stderr.on('data', (text) => {
      err += text;
    });
    child.stdout.on('data', (text) => {
      out += text;
      if (String(text).includes('forward + backward')) setTimeout(() => child.kill('SIGINT'), 200);
    });
    const [code] = await once(child, 'close');
    expect(err).toBe('');
    expect(code).toBe(1);
    expect(namesUnder(out, 'T 2, B 1, m 1, n 1: forward')).toEqual(['LSTM', 'LSTM3']);
    expect(out).not.toContain('T 500');
    expect(lines(out).at(-1)).toBe('Interrupted; what stands above is complete');
    expect(await readFile(svg, 'utf8')).toContain('T 2, B 1, m 1, n 1');
  });

  it.each([
    ['three sizes', ['--sizes', '1,2,3'], 2, /T,B,m,n/],
    ['a size of 0', ['--sizes', '1,2,3,0'], 2, /T,B,m,n/],
    ['an unknown variant, with the nearest name', ['--variants', 'LSTM,LSTM33'], 2, /did you mean LSTM3/],
    ['a variant named twice', ['--variants', 'LSTM3,LSTM3'], 2, /LSTM3 twice/],
    ['no repeats', ['--repeats', '0'], 2, /positive integer/],
    ['an unknown device', ['--device', 'gpu'], 2, /for device/],
    ['an unknown precision', ['--precision', 'half'], 2, /float32, tf32, bfloat16/],
    ['a device that is not there', ['--device', 'cuda'], 1, /Cannot use device cuda/],
    ['sizes of a layer for the network', ['--model', '--sizes', '1,2,3,4'], 2, /--sizes without --model/],
    ['documents for a layer', ['--data', 'x.csv'], 2, /--data together with --model/],
    ['a variant file that is missing', ['--variant-file', 'missing.json'], 1, /missing\.json/],
    ['a picture in a folder that is missing', ['--svg', join('missing', 'a.svg')], 1, /Cannot write/],
    ['sizes that overflow', ['--sizes', '2147483647,2147483647,1,1'], 1, /2\^46/],
    ['sizes beyond the memory', ['--sizes', '20000,20000,16,1000', '--variants', 'LSTM'], 1, /cannot be had/],
  ])('refuses %s', async (_what, args, code, message) => {
    const outcome = await run(['bench', ...quick, ...args]);
    expect(outcome.err).toMatch(message);
    expect(outcome.err).not.toMatch(/\n\s+at /);
    expect(outcome.code).toBe(code);
    expect(outcome.out).toBe('');
  });

  it.each([
    ['no JSON', '{', 1, /is not JSON/],
    ['an empty candidate', '{"input":{"constant":1},"forget":{"bias":true},"output":{"bias":true},"candidate":{}}', 2],
    ['a published name on other terms', JSON.stringify({ ...variants.LSTM3, name: 'LSTM2' }), 2, /another name/],
  ])('refuses a variant file with %s, naming the file', async (_what, text, code, message = /bad\.json/) => {
    const file = join(folder, 'bad.json');
    await writeFile(file, text);
    const outcome = await run(['bench', ...quick, '--variant-file', file]);
    expect(outcome.err).toMatch(message);
    expect(outcome.err).toContain(file);
    expect(outcome.code).toBe(code);
  });
});
