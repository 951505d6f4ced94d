import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileAccessError } from '../../src/index.js';
import { type FileWriter, previousFolder, replaceFolder } from '../../src/model/checkpoint/replace-folder.js';
import { temporaryFolder } from '../temporary-folder.js';

const root = temporaryFolder();
const owned = ['a', 'b'];

function content(path: string): Record<string, string> {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}

const writing = (files: Record<string, string>) => async (writeFile: FileWriter) => {
  for (const [name, text] of Object.entries(files)) await writeFile(name, [Buffer.from(text), Buffer.from('.')]);
};

describe('a folder that is replaced', () => {
  test('is made with its parents, then replaced, with nothing left beside it', async () => {
    const parent = join(root, 'new', 'deep');
    const path = join(parent, 'model');
    await replaceFolder(path, owned, writing({ a: '1', b: '2' }));
    expect(content(path)).toEqual({ a: '1.', b: '2.' });
    await replaceFolder(path, owned, writing({ a: '3' }));
    expect(content(path)).toEqual({ a: '3.' });
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('stays as it was when the disk is full in the middle', async () => {
    const parent = join(root, 'full');
    const path = join(parent, 'model');
    await replaceFolder(path, owned, writing({ a: 'old', b: 'old' }));
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
    let written = 0;
    const failing = async (file: string, pieces: readonly Uint8Array[]) => {
      if (++written === 2) throw full;
      writeFileSync(file, Buffer.concat(pieces));
    };
    const failure = replaceFolder(path, owned, writing({ a: 'new', b: 'new' }), failing);
    await expect(failure).rejects.toThrow(/the disk is full; what was there is as before/);
    await expect(failure).rejects.toMatchObject({ code: 'ERR_FILE_ACCESS', cause: full });
    expect(content(path)).toEqual({ a: 'old.', b: 'old.' });
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('is not touched when it holds files of others', async () => {
    const path = join(root, 'foreign');
    mkdirSync(path);
    writeFileSync(join(path, 'thesis.tex'), 'years of work');
    const failure = replaceFolder(path, owned, writing({ a: '1' }));
    await expect(failure).rejects.toThrow(FileAccessError);
    await expect(failure).rejects.toThrow(/thesis\.tex/);
    expect(content(path)).toEqual({ 'thesis.tex': 'years of work' });
  });

  test('a file in its place is an error', async () => {
    const path = join(root, 'file');
    writeFileSync(path, 'text');
    await expect(replaceFolder(path, owned, writing({ a: '1' }))).rejects.toThrow(FileAccessError);
    await expect(replaceFolder(join(path, 'below'), owned, writing({ a: '1' }))).rejects.toThrow(FileAccessError);
    expect(readFileSync(path, 'utf8')).toBe('text');
  });

  test('after a crash between the renames the next save goes through', async () => {
    const path = join(root, 'crashed');
    await replaceFolder(path, owned, writing({ a: 'old' }));
    renameSync(path, previousFolder(path));
    await replaceFolder(path, owned, writing({ a: 'new' }));
    expect(content(path)).toEqual({ a: 'new.' });
    expect(() => readdirSync(previousFolder(path))).toThrow();
  });

  test('an error that is not of the system comes through as it is', async () => {
    const failure = new Error('of the caller');
    await expect(replaceFolder(join(root, 'x'), owned, () => Promise.reject(failure))).rejects.toBe(failure);
  });
});
