import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileAccessError, InvalidDataError, InvalidFileError, readIdx, readMnist } from '../../src/index.js';
import { dataFolder, isMissing } from '../text/data-folder.js';
import { idxBytes } from './idx-files.js';

let folder: string;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slim-lstm-idx-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function written(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `file-${files++}`);
  await writeFile(path, bytes);
  return path;
}

async function refusal(bytes: Uint8Array, options = {}): Promise<{ code: string; message: string }> {
  const error = await readIdx(await written(bytes), options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidFileError);
  return error as InvalidFileError;
}

describe('readIdx', () => {
  // Each by hand: the type's byte, one dimension of 2, then two numbers with the big end first.
  it.each([
    ['unsigned bytes', '00000801 00000002 00 ff', Int32Array.of(0, 255)],
    ['signed bytes', '00000901 00000002 7f 80', Int32Array.of(127, -128)],
    ['16-bit integers', '00000b01 00000002 0102 fffe', Int32Array.of(258, -2)],
    ['32-bit integers', '00000c01 00000002 00010000 80000000', Int32Array.of(65536, -(2 ** 31))],
    ['32-bit floats', '00000d01 00000002 3fc00000 c0000000', Float32Array.of(1.5, -2)],
    ['64-bit floats', '00000e01 00000002 3ff8000000000000 c000000000000000', Float32Array.of(1.5, -2)],
  ])('reads %s', async (_, hex, data) => {
    const path = await written(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    expect(await readIdx(path)).toEqual({ data, shape: [2] });
  });

  it('reads three dimensions, packed or not, as integers or as floats', async () => {
    const values = Array.from({ length: 24 }, (_, i) => i * 10);
    const bytes = idxBytes([2, 3, 4], values);
    const packed = await written(gzipSync(bytes));
    expect(await readIdx(await written(bytes))).toEqual({ data: Int32Array.from(values), shape: [2, 3, 4] });
    expect(await readIdx(packed)).toEqual({ data: Int32Array.from(values), shape: [2, 3, 4] });
    expect(await readIdx(packed, { dataType: 'float32' })).toEqual({
      data: Float32Array.from(values),
      shape: [2, 3, 4],
    });
  });

  it('reads a file of many pieces', async () => {
    const values = Array.from({ length: 300_001 }, (_, i) => (i * 7) % 256);
    const { data, shape } = await readIdx(await written(gzipSync(idxBytes([300_001], values))));
    expect(shape).toEqual([300_001]);
    expect(data).toEqual(Int32Array.from(values));
  });

  it.each([
    [
      'no idx file',
      Buffer.from('P5 28 28'),
      'ERR_IDX_MAGIC',
      /begins with the bytes "50 35 20 32" in place of "00 00"/,
    ],
    ['an empty file', Buffer.alloc(0), 'ERR_IDX_MAGIC', /is no idx file/],
    ['an unknown type', Buffer.from([0, 0, 7, 1, 0, 0, 0, 1, 0]), 'ERR_IDX_TYPE', /the type 7; the types of idx are 8/],
    ['no dimension', Buffer.from([0, 0, 8, 0, 1]), 'ERR_IDX_SHAPE', /has the shape \[\]/],
    ['an empty dimension', idxBytes([3, 0], []), 'ERR_IDX_SHAPE', /has the shape \[3, 0\]/],
    ['dimensions cut short', Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0]), 'ERR_IDX_TRUNCATED', /within its 3 dimensions/],
    ['numbers cut short', idxBytes([2, 3], [1, 2, 3, 4]), 'ERR_IDX_TRUNCATED', /ends after 4 of its 6 numbers/],
    ['bytes left over', idxBytes([2], [1, 2, 3]), 'ERR_IDX_TRAILING', /goes on after the 2 numbers of its shape \[2\]/],
    [
      'a header that promises more than the limit',
      idxBytes([2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], []),
      'ERR_LIMIT_BYTES',
      /more than limits.totalBytes allows/,
    ],
    ['gigabytes that do not come', idxBytes([2 ** 31, 1], [1]), 'ERR_IDX_TRUNCATED', /ends after 1 of its 2147483648/],
    [
      'a damaged archive',
      gzipSync(idxBytes([9], [...Array(9).keys()])).subarray(0, 25),
      'ERR_GZIP_TRUNCATED',
      /ends in/,
    ],
  ])('refuses %s', async (_, bytes, code, message) => {
    const error = await refusal(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('keeps to the limits it is given', async () => {
    const bytes = idxBytes([100], [...Array(100).keys()]);
    expect((await refusal(bytes, { limits: { totalBytes: 90 } })).code).toBe('ERR_LIMIT_BYTES');
    await expect(readIdx(await written(bytes), { limits: { totalBytes: 108 } })).resolves.toBeDefined();
  });

  it('stops when the signal says so, with its reason', async () => {
    const path = await written(idxBytes([4], [1, 2, 3, 4]));
    const reason = new Error('enough');
    await expect(readIdx(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('names a file that is not there, and an option that is none', async () => {
    await expect(readIdx(join(folder, 'missing'))).rejects.toThrow(FileAccessError);
    await expect(readIdx(join(folder, 'missing'), { datatype: 'int32' } as never)).rejects.toThrow(
      'did you mean dataType?',
    );
  });
});

describe('readMnist', () => {
  const images = (count: number, side = 2) => idxBytes([count, side, side], Array(count * side * side).fill(7));
  const labels = (count: number) => idxBytes([count], Array(count).fill(3));

  async function folderOf(parts: Record<string, Uint8Array>): Promise<string> {
    const path = await mkdtemp(join(folder, 'mnist-'));
    for (const [name, bytes] of Object.entries(parts)) await writeFile(join(path, name), bytes);
    return path;
  }

  const whole = {
    'train-images-idx3-ubyte': images(3),
    'train-labels-idx1-ubyte.gz': gzipSync(labels(3)),
    't10k-images-idx3-ubyte.gz': gzipSync(images(2)),
    't10k-labels-idx1-ubyte': labels(2),
  };

  it('takes each file packed or not', async () => {
    const { train, test } = await readMnist(await folderOf(whole));
    expect(train.images).toEqual({ data: new Float32Array(12).fill(7), shape: [3, 2, 2] });
    expect(train.labels).toEqual(Int32Array.of(3, 3, 3));
    expect(test.images.shape).toEqual([2, 2, 2]);
  });

  it.each([
    ['fewer labels than images', { 'train-labels-idx1-ubyte.gz': labels(2) }, /holds 3 images and .* 2 labels/],
    ['images for labels', { 't10k-labels-idx1-ubyte': images(2) }, /labels of shape \[N\].*found \[2, 2, 2\]/],
    ['labels for images', { 't10k-images-idx3-ubyte.gz': labels(2) }, /shape \[N, height, width\].*found \[2\]/],
    ['parts of two sizes', { 't10k-images-idx3-ubyte.gz': images(2, 3) }, /those of train have 2 x 2, of t10k 3 x 3/],
  ])('refuses %s', async (_, changed, message) => {
    const path = await folderOf({ ...whole, ...changed });
    await expect(readMnist(path)).rejects.toThrow(InvalidDataError);
    await expect(readMnist(path)).rejects.toThrow(message);
  });

  it('names the file that is missing', async () => {
    const { 't10k-labels-idx1-ubyte': _, ...rest } = whole;
    const path = await folderOf(rest);
    await expect(readMnist(path)).rejects.toThrow(FileAccessError);
    await expect(readMnist(path)).rejects.toThrow(/t10k-labels-idx1-ubyte: there is no such file, nor t10k-labels/);
  });

  // The counts are those of the data set's page; the sums were taken with Python:
  // int(numpy.frombuffer(gzip.open(...).read()[16:], numpy.uint8).sum()), and [8:] for the labels.
  it.skipIf(isMissing('mnist'))('reads MNIST', async () => {
    const { train, test } = await readMnist(join(dataFolder, 'mnist'));
    expect(train.images.shape).toEqual([60000, 28, 28]);
    expect(test.images.shape).toEqual([10000, 28, 28]);
    expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    const sum = (values: Iterable<number>) => Array.from(values).reduce((total, value) => total + value, 0);
    expect(sum(test.images.data)).toBe(264_923_200);
    expect(sum(train.labels)).toBe(267_236);
  });
});
