import { afterEach, expect, test, vi } from 'vitest';
import { devices, layers, sequential } from '../../src/index.js';
import { toyData, toyModel, weightBytes } from './toy.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const model = (options: object) => sequential([layers.dense({ units: 1 })], { inputShape: [2], ...options });

test('devices tells what can be used and why the rest cannot', () => {
  const all = devices();
  const cpu = all.find(({ name }) => name === 'cpu');
  expect(cpu).toMatchObject({ usable: true, reason: null });
  expect(cpu?.description).toMatch(/^\S.*, \d+ cores?$/);
  const rest = all.filter((device) => device !== cpu);
  expect(rest.length).toBeGreaterThan(0);
  for (const { name, usable, description, reason } of rest) {
    expect(name).toMatch(/^cuda(:\d+)?$/);
    expect(usable).toBe(reason === null);
    expect(usable).toBe(description !== null);
  }
});

test('a model tells its device and threads', () => {
  vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', '/no/such/library.so');
  using one = model({ device: 'cpu', threads: 1 });
  using three = model({ device: 'auto', threads: 3 });
  expect(one.device).toMatch(/^cpu \(.+, 1 thread\)$/);
  expect(three.device).toMatch(/^cpu \(.+, 3 threads\)$/);
});

test('the CPU computes in float32 whatever precision is asked for, and says nothing of it', async () => {
  const { x, y } = toyData(32);
  const weights: Buffer[] = [];
  for (const precision of [undefined, 'float32', 'tf32', 'bfloat16'] as const) {
    using one = toyModel(precision === undefined ? {} : { precision });
    expect(one.precision).toBe(precision ?? 'float32');
    expect(one.device).toMatch(/^cpu \(.+, 1 thread\)$/);
    await one.fit(x, y, { epochs: 1, batchSize: 16, verbose: 0 });
    weights.push(weightBytes(one));
  }
  for (const other of weights) expect(other.equals(weights[0] as Buffer)).toBe(true);
});

test("what 'auto' took is said once, and only where it is asked for", () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', '/no/such/library.so');
  vi.stubEnv('SLIM_LSTM_LOG', '');
  model({ device: 'auto' }).dispose();
  expect(said).not.toHaveBeenCalled();
  vi.stubEnv('SLIM_LSTM_LOG', 'kernels,device');
  model({ device: 'cpu' }).dispose();
  expect(said).not.toHaveBeenCalled();
  for (let i = 0; i < 3; i++) model({ device: 'auto', threads: 2 }).dispose();
  expect(said.mock.calls).toEqual([
    [expect.stringMatching(/^slim-lstm: device 'auto' is cpu \(.+, 2 threads\); no GPU: this installation .+\n$/)],
  ]);
});
