/** What the benchmarks say of their measurements: turns, statistics, tables, and the processes that are asked. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../temporary-folder.js';

const instrument = (name: string) => import(new URL(`../../bench/instrument/${name}.mjs`, import.meta.url).href);
const { median, summary } = await instrument('statistics');
const { Pace } = await instrument('pace');
const { takeTurns } = await instrument('turns');
const { groupTable, replaceBetweenMarkers, resultsTables } = await instrument('tables');
const { machineSlug } = await instrument('machine');
const { Contestant } = await instrument('contestant');
const { readArrays, writeArrays } = await instrument('arrays');
const { headOf } = await instrument('options');

const folder = temporaryFolder();

test('the median is the middle value, or the mean of the two in the middle', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(summary([30, 10, 20])).toEqual({ median: 20, least: 10, largest: 30, runs: 3 });
});

test('--help of a program is what its file begins with, as text', () => {
  const head = headOf(new URL('../../bench/quick.mjs', import.meta.url).href);
  expect(head).toMatch(/^What this machine does, in under two minutes/);
  expect(head).toMatch(/^ {4}node bench\/quick\.mjs \[--threads N\]/m);
  expect(head).not.toMatch(/\*\/|^ \*/m);
});

test('entrants take turns, each round beginning with the next of them', async () => {
  const order: string[] = [];
  const entrant = (name: string, values: number[]) => ({
    name,
    turn: async () => {
      order.push(name);
      return values;
    },
  });
  const rows = await takeTurns([entrant('A', [1, 9, 2]), entrant('B', [4]), entrant('C', [6])], 3);
  expect(order.join('')).toBe('ABCBCACAB');
  expect(rows[0]).toEqual({ name: 'A', median: 2, least: 2, largest: 2, runs: 3 });
});

describe('the pace of the machine', () => {
  const at = (gflops: number, roundTrip?: number) => ({ gflops, roundTrip });
  const near = at(100, 55);
  const far = at(100, 320);

  /** A pace that finds one of `probes` after the other, at last the same again and again, on a clock that only sleep moves. */
  function paceOf(probes: ReturnType<typeof at>[]) {
    const clock = {
      seconds: 0,
      now: () => clock.seconds * 1000,
      sleep: async (milliseconds: number) => {
        clock.seconds += milliseconds / 1000;
      },
    };
    const probe = async () => (probes.length > 1 ? probes.shift() : probes[0]);
    const pace = new Pace(probe, clock);
    let turns = 0;
    return { pace, clock, turn: () => pace.during(async () => ++turns) };
  }

  test('takes a turn again that began or ended slowly, until one is at full pace throughout', async () => {
    const { pace, turn } = paceOf([at(50), at(100), at(60), at(100), at(99)]);
    pace.begin({ gflops: 100 });
    expect(await turn()).toBe(2);
    expect([pace.repeated, pace.slow]).toEqual([1, 0]);
  });

  test('is measured against the fastest seen, and a turn that never gets it counts as slow', async () => {
    const { pace, turn } = paceOf(
      [100, 100, ...Array.from({ length: 8 }, () => [100, 50]).flat()].map((rate) => at(rate)),
    );
    expect(await turn()).toBe(1);
    expect(await turn()).toBe(9);
    expect([pace.repeated, pace.slow]).toEqual([7, 1]);
  });

  test('is not full while the processors lie more than twice as far from each other as the nearest seen', async () => {
    const { pace, clock, turn } = paceOf([at(100, 60), near, ...Array(90).fill(far), at(100, 105), far, near]);
    expect(await turn()).toBe(1);
    expect(await turn()).toBe(3);
    expect([pace.repeated, pace.slow, clock.seconds]).toEqual([1, 0, 90]);
  });

  test('is waited for once, three minutes long, and not before each turn of a machine that stays slow', async () => {
    const { pace, clock, turn } = paceOf([near, near, far]);
    for (let turns = 1; turns <= 3; turns++) expect(await turn()).toBe(turns);
    expect([pace.repeated, pace.slow, clock.seconds]).toEqual([0, 2, 180]);
  });

  test('has been waited for in vain, then comes back: the next slow time is waited for again', async () => {
    const { pace, clock, turn } = paceOf([near, near, ...Array(181).fill(far), near, near, far, near]);
    for (let turns = 1; turns <= 4; turns++) expect(await turn()).toBe(turns);
    expect([pace.slow, clock.seconds]).toEqual([1, 181]);
  });

  test('counts the turns as slow that were taken before the processors came nearer for the first time', async () => {
    const { pace, turn } = paceOf([...Array(5).fill(far), near]);
    for (let turns = 1; turns <= 4; turns++) expect(await turn()).toBe(turns);
    expect([pace.repeated, pace.slow]).toEqual([0, 2]);
  });

  test('begins each comparison with its own ceiling but remembers how near the processors can lie', async () => {
    const { pace, clock, turn } = paceOf([at(100, 55), at(100, 55), at(80, 320), at(80, 55)]);
    await turn();
    pace.begin({ gflops: 80 });
    await turn();
    expect([pace.slow, clock.seconds]).toEqual([0, 1]);
  });
});

describe('tables', () => {
  const row = { name: 'LSTM3', median: 10, least: 9, largest: 12, runs: 7 };

  test('have no column that no row fills', () => {
    expect(groupTable({ unit: 'ms', score: 'times', rows: [{ ...row, score: 5.5, goal: 5 }] })).toBe(
      [
        '|  | ms (median) | spread | times | goal | reached |',
        '|---|---|---|---|---|---|',
        '| LSTM3 | 10.0 | 9.00 to 12.0 | 5.50 | 5 | yes |',
      ].join('\n'),
    );
  });

  test('take a goal as an upper bound where less is better', () => {
    const group = { unit: 'ms', score: 'slowdown', atMost: true, rows: [{ ...row, score: 1.2, goal: 1.15 }] };
    expect(groupTable(group)).toContain('| 1.20 | ≤ 1.15 | no |');
  });

  test('name what a row that misses its goal would score at the ceilings', () => {
    const missing = {
      ...row,
      score: 4,
      goal: 5,
      roofline: { gflop: 1, megabytes: 2, milliseconds: 8, bound: 'memory' },
    };
    const ceiling = { threads: 2, gflops: 100, gigabytes: 20, activations: 5 };
    const groups = [{ title: 'sizes', unit: 'ms', score: 'times', rows: [missing] }];
    const section = {
      title: 'Layer',
      about: '',
      date: '2026-01-01',
      rounds: 7,
      threads: 2,
      usedByOthers: 0,
      ceiling,
      groups,
    };
    const machine = { processor: 'CPU', cores: 2, memoryGB: 8, system: 'Linux' };
    const text = resultsTables({ machine, versions: { A: '1' }, sections: { layer: section } });
    expect(text).toContain('| LSTM3: Layer, sizes | 1.00 | 2.00 | 8.00 (memory) | 10.0 | 80 % | 4.00 | 5 | 5.00 |');
  });

  test('replace what stands between markers and nothing else', () => {
    const page = 'a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb';
    expect(replaceBetweenMarkers(page, 'x', 'new')).toBe('a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb');
    expect(() => replaceBetweenMarkers('a', 'x', 'new')).toThrow('Expected the markers');
  });
});

test('a machine has a file name of its own', () => {
  expect(machineSlug({ processor: 'Intel(R) Core(TM) i7-9700 CPU @ 3.00GHz', cores: 8 })).toBe(
    'intel-core-i7-9700-cpu-3-00ghz-8-cores',
  );
});

test('arrays come back as they were written', () => {
  const arrays = {
    x: { data: Float32Array.of(1.5, -2, 0.25, 8), shape: [2, 2] },
    ids: { data: Int32Array.of(7, -1), shape: [2] },
  };
  writeArrays(join(folder, 'arrays'), arrays);
  expect(readArrays(join(folder, 'arrays'))).toEqual(arrays);
});

describe.skipIf(process.platform !== 'linux')('a contestant', () => {
  const program = join(folder, 'contestant.mjs');
  writeFileSync(
    program,
    `import { createInterface } from 'node:readline';
     let beats = 0;
     setInterval(() => beats++, 1);
     for await (const line of createInterface({ input: process.stdin })) {
       if (line.startsWith('end')) throw new Error('so it ends');
       console.log(JSON.stringify(line.startsWith('fail') ? { error: 'no' } : { beats, line }));
     }`,
  );

  test('answers calls, and does nothing while it waits', async () => {
    const contestant = new Contestant('A', [process.execPath, program]);
    const first = await contestant.call('once', { samples: 2 });
    expect(first.line).toBe('once {"samples":2}');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { beats } = await contestant.call('more');
    expect(beats - first.beats).toBeLessThan(500);
    contestant.end();
  });

  test('tells what failed, and with what words it ended', async () => {
    const contestant = new Contestant('A', [process.execPath, program]);
    await expect(contestant.call('fail')).rejects.toThrow('A failed in fail: no');
    await expect(contestant.call('end')).rejects.toThrow(/A ended in end:[\s\S]*so it ends/);
  });
});
