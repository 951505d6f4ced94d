import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  cost,
  defineVariant,
  InvalidArgumentError,
  InvalidDataError,
  InvalidModelError,
  OutOfMemoryError,
  timeLayer,
} from '../../src/index.js';
import { timeLayers } from '../../src/timing/time-layer.js';

const small = { steps: 12, batch: 3, inputSize: 5, units: 7, threads: 1, repeats: 4, warmups: 1 };

function areTimes(times: readonly number[], count: number): void {
  expect(times).toHaveLength(count);
  for (const time of times) expect(time).toBeGreaterThan(0);
}

describe('timeLayer', () => {
  test('gives a time of each pass for each repeat, and what the layer costs', async () => {
    const timing = await timeLayer({ ...small, variant: 'LSTM3' });
    areTimes(timing.forward, 4);
    areTimes(timing.training, 4);
    expect(timing.variant.name).toBe('LSTM3');
    expect(timing.device).toMatch(/^cpu \(.+, 1 thread\)$/);
    expect(timing.parameters).toBe(cost('LSTM3', small).parameters);
    expect(timing.flops.forward).toBe(2 * 12 * 3 * (5 * 7 + 7 * 7));
  });

  test('times variants of one own, two directions, all states, dropout and the gradient of the input', async () => {
    const variant = defineVariant({
      input: { constant: 1 },
      forget: { recurrent: 'diagonal' },
      candidate: { input: true, recurrent: 'full' },
      output: { input: true },
    });
    const options = { bidirectional: true, returnSequences: true, dropout: 0.1, recurrentDropout: 0.2 };
    const timing = await timeLayer({ ...small, ...options, variant, inputGradient: true });
    areTimes(timing.training, 4);
    expect(timing.parameters).toBe(2 * cost(variant, small).parameters);
    expect(timing.flops.training).toBe(3 * timing.flops.forward);
  });

  test('times a layer behind an embedding on the batches it is given, padding skipped or not', async () => {
    const ids = Int32Array.from({ length: 5 * 3 * 12 }, (_, i) => (i * 7) % 11);
    for (const maskZero of [false, true]) {
      const timing = await timeLayer({ ...small, tokens: { ids, vocabulary: 11, maskZero } });
      areTimes(timing.training, 4);
      expect(timing.flops.training).toBe(3 * timing.flops.forward);
    }
    const frozen = await timeLayer({ ...small, tokens: { ids, vocabulary: 11 }, inputGradient: false });
    expect(frozen.flops.training).toBeLessThan(3 * frozen.flops.forward);
  });

  test.each([
    { steps: 1, batch: 1, inputSize: 1, units: 1 },
    { steps: 70_000, batch: 1, inputSize: 1, units: 2 },
    { steps: 1, batch: 1, inputSize: 3, units: 2048 },
    { steps: 2, batch: 300, inputSize: 1, units: 17 },
  ])('times $steps steps of $batch sequences, m = $inputSize, n = $units', async (size) => {
    const { forward, training } = await timeLayer({ ...size, variant: 'LSTM4', repeats: 1, warmups: 0, threads: 3 });
    areTimes(forward, 1);
    areTimes(training, 1);
  });

  test('takes longer for more steps', async () => {
    const [short, long] = await Promise.all(
      [10, 1000].map((steps) => timeLayer({ ...small, steps, units: 32, repeats: 20 })),
    );
    const least = (times: readonly number[] = []) => Math.min(...times);
    expect(least(long?.forward)).toBeGreaterThan(10 * least(short?.forward));
    expect(least(long?.training)).toBeGreaterThan(10 * least(short?.training));
  });
});

describe('variants side by side', () => {
  test('each have their times, and progress counts up to all turns at the most', async () => {
    const turns: number[] = [];
    const setting = { ...small, units: 64, repeats: 300 };
    const timings = await timeLayers(['LSTM', 'LSTM6', 'LSTM11'], setting, (done, of) => {
      expect(of).toBe(3 * 301);
      turns.push(done);
    });
    expect(timings.map(({ variant }) => variant.name)).toEqual(['LSTM', 'LSTM6', 'LSTM11']);
    for (const { forward, training } of timings) {
      areTimes(forward, 300);
      areTimes(training, 300);
    }
    expect(turns).toEqual([...turns].sort((a, b) => a - b));
    expect(turns.at(-1) ?? 0).toBeLessThanOrEqual(3 * 301);
  });

  test('run beside one another in two calls', async () => {
    const runs = await Promise.all([timeLayers(['LSTM', 'LSTM3'], small), timeLayers(['LSTM10'], small)]);
    expect(runs.map((timings) => timings.map(({ training }) => training.length))).toEqual([[4, 4], [4]]);
  });

  test('end with the error that the listener of progress throws', async () => {
    const failure = new Error('no more');
    const run = timeLayers(['LSTM', 'LSTM3'], { ...small, repeats: 10_000_000 }, () => {
      throw failure;
    });
    await expect(run).rejects.toBe(failure);
  });
});

describe('the signal', () => {
  const endless = { steps: 50, batch: 8, inputSize: 16, units: 32, threads: 1, repeats: 2 ** 31 - 1 };

  test('ends the timing within a pass, and no listener is left behind', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const reason = new Error('enough');
    const run = timeLayer({ ...endless, signal });
    await delay(100);
    const aborted = performance.now();
    controller.abort(reason);
    await expect(run).rejects.toBe(reason);
    // A pass takes less than a millisecond.
    expect(performance.now() - aborted).toBeLessThan(500);
    expect(listeners).toBe(0);
  });

  test('that has aborted before rejects at once', async () => {
    await expect(timeLayer({ ...endless, signal: AbortSignal.abort('no') })).rejects.toBe('no');
  });

  test('leaves the event loop to others meanwhile', async () => {
    const controller = new AbortController();
    const run = timeLayer({ ...endless, signal: controller.signal });
    let turns = 0;
    for (const end = performance.now() + 200; performance.now() < end; turns++) await delay(1);
    controller.abort();
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(turns).toBeGreaterThan(20);
  });
});

describe('what cannot be timed is refused with a sentence:', () => {
  const ids = new Int32Array(2 * 36);
  test.each<[string, object, new (...args: never[]) => Error, RegExp]>([
    ['no units', { units: 0 }, InvalidArgumentError, /positive integer for units but received 0/],
    ['half a step', { steps: 1.5 }, InvalidArgumentError, /positive integer for steps but received 1.5/],
    ['a missing size', { batch: undefined }, InvalidArgumentError, /for batch but received undefined/],
    ['an unknown variant', { variant: 'LSTM33' }, InvalidArgumentError, /did you mean LSTM3\?/],
    ['an unknown option', { repeat: 3 }, InvalidArgumentError, /Unknown option repeat .* did you mean repeats\?/],
    ['no repeats', { repeats: 0 }, InvalidArgumentError, /for repeats/],
    ['a dropout of 1', { recurrentDropout: 1 }, InvalidArgumentError, /for recurrentDropout/],
    ['an unknown device', { device: 'gpu' }, InvalidArgumentError, /for device/],
    ['an unknown precision', { precision: 'half' }, InvalidArgumentError, /float32, tf32, bfloat16 for precision/],
    ['too many threads', { threads: 100_000 }, InvalidArgumentError, /threads/],
    ['a signal that is none', { signal: 'stop' }, InvalidArgumentError, /AbortSignal/],
    ['sizes that overflow', { batch: 2 ** 31 - 1, steps: 2 ** 31 - 1 }, InvalidModelError, /2\^46/],
    ['more than the memory', { batch: 2 ** 18, units: 2 ** 14, steps: 2 ** 8 }, OutOfMemoryError, /cannot be had/],
    ['nested token ids', { tokens: { ids: [[1]], vocabulary: 3 } }, InvalidArgumentError, /Int32Array for tokens.ids/],
    ['no vocabulary', { tokens: { ids } }, InvalidArgumentError, /tokens.vocabulary/],
    ['parts of batches', { tokens: { ids: ids.subarray(1), vocabulary: 3 } }, InvalidDataError, /whole batches/],
    ['no batch', { tokens: { ids: new Int32Array(0), vocabulary: 3 } }, InvalidDataError, /whole batches/],
    ['a foreign id', { tokens: { ids: ids.map((_, i) => i - 5), vocabulary: 99 } }, InvalidDataError, /token id -5 at/],
  ])('%s', async (_what, options, Class, message) => {
    const run = timeLayer({ ...small, ...options });
    await expect(run).rejects.toThrow(Class);
    await expect(run).rejects.toThrow(message);
  });
});
