import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cannotRead, cannotWrite, makeFolder } from '../src/file-access.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slim-lstm-files-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('a folder is made with all above it that are missing, and left as it is where it is there', async () => {
  const path = join(folder, 'a', 'b', 'c');
  await makeFolder(path);
  await writeFile(join(path, 'file'), '');
  await Promise.all([makeFolder(path), makeFolder(join(path, 'd')), makeFolder(join(path, 'd', 'e'))]);
  expect((await readdir(path)).sort()).toEqual(['d', 'file']);
});

test('a file in the place of a folder, or above it, is an error', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expect(makeFolder(file)).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test.skipIf(!existsSync('/proc/self'))('a folder that takes no entries is an error, not an endless loop', async () => {
  await expect(makeFolder('/proc/slim-lstm/model')).rejects.toMatchObject({ code: 'ENOENT' });
});

test('errors of files name the path and say the reason in words', async () => {
  const cause = await mkdir(join(folder, 'none', 'below')).catch((error: unknown) => error);
  expect(cannotRead('a.txt', cause).message).toBe('Cannot read a.txt: there is no such file or folder');
  expect(cannotWrite('a.txt', cause)).toMatchObject({ name: 'FileAccessError', code: 'ERR_FILE_ACCESS', cause });
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  expect(cannotWrite('a.txt', full).message).toBe('Cannot write a.txt: the disk is full');
  const other = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  expect(cannotRead('a.txt', other).message).toBe('Cannot read a.txt: EIO: i/o error');
});
