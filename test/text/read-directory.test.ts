import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileAccessError, InvalidArgumentError, InvalidDataError } from '../../src/errors.js';
import { sortByCodePoint } from '../../src/text/ordering.js';
import { type ReadDirectoryOptions, readDirectory } from '../../src/text/read-directory.js';
import { temporaryFolder } from '../temporary-folder.js';
import { tarOf, writeArchive } from './archives.js';

const oracle: {
  documents: { bytes: number[]; universal: string; keep: string; whole: string }[];
  sorted: string[];
} = JSON.parse(readFileSync(new URL('../oracle/fixtures/text.json', import.meta.url), 'utf8'));

type Files = Readonly<Record<string, string | Uint8Array>>;

const scratch = temporaryFolder();
let made = 0;

function folderOf(files: Files): string {
  const root = join(scratch, `folder${made++}`);
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, dirname(name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

/** Every tree is read in all forms; they must mean the same. */
const forms: [string, (files: Files) => string | Promise<string>][] = [
  ['a folder', folderOf],
  ['a .tar', async (files) => writeArchive(scratch, `plain${made++}.tar`, await tarOf(files))],
  ['a .tar.gz', async (files) => writeArchive(scratch, `packed${made++}.tar.gz`, await tarOf(files))],
];

describe.each(forms)('readDirectory of %s', (_form, make) => {
  it('gives class ids by folder name and documents by class and file name, sorted as strings', async () => {
    const path = await make({ 'b/10': 'b ten', 'b/9': 'b nine', 'a/x': 'a x', 'B/é': 'upper', 'a/w': 'a w' });
    expect(await readDirectory(path)).toEqual({
      texts: ['upper', 'a w', 'a x', 'b ten', 'b nine'],
      labels: Int32Array.of(0, 1, 1, 2, 2),
      classNames: ['B', 'a', 'b'],
      names: ['B/é', 'a/w', 'a/x', 'b/10', 'b/9'],
      emptyDocuments: 0,
    });
  });

  it('looks through one root folder, and past hidden files and files above the classes', async () => {
    const path = await make({
      'root/README': 'not a post',
      'root/.git/config': 'hidden',
      'root/b/1': 'one',
      'root/b/.DS_Store': 'hidden',
      'root/a/2': 'two',
    });
    const { texts, classNames } = await readDirectory(path);
    expect({ texts, classNames }).toEqual({ texts: ['two', 'one'], classNames: ['a', 'b'] });
  });

  it('reads the subset asked for, below a root folder or not', async () => {
    const tree = {
      'test/pos/1': 'test pos',
      'train/pos/1': 'train pos',
      'train/neg/1': 'train neg',
      'train/urls': 'no',
    };
    const below = Object.fromEntries(Object.entries(tree).map(([name, text]) => [`root/${name}`, text]));
    for (const files of [tree, { ...below, 'root/README': 'no' }]) {
      const path = await make(files);
      expect((await readDirectory(path, { subset: 'train' })).texts).toEqual(['train neg', 'train pos']);
      expect((await readDirectory(path, { subset: 'test' })).texts).toEqual(['test pos']);
      await expect(readDirectory(path, { subset: 'dev' })).rejects.toThrow('below dev');
    }
  });

  it('names the option subset where folders lie within folders', async () => {
    const path = await make({ 'r/train/pos/1': 'a', 'r/train/neg/1': 'b', 'r/test/pos/1': 'c' });
    await expect(readDirectory(path)).rejects.toThrow(
      /Expected folders of files in .* but found folders within test, train; .* the option subset/,
    );
  });

  it('gives the classes asked for, in their order, and knows when one is missing', async () => {
    const path = await make({ 'pos/1': 'p', 'neg/1': 'n', 'unsup/1': 'u' });
    const { texts, classNames, labels } = await readDirectory(path, { classes: ['pos', 'neg'] });
    expect({ texts, classNames, labels }).toEqual({
      texts: ['p', 'n'],
      classNames: ['pos', 'neg'],
      labels: Int32Array.of(0, 1),
    });
    const missing = readDirectory(path, { classes: ['pos', 'negg'] });
    await expect(missing).rejects.toThrow(InvalidDataError);
    await expect(missing).rejects.toThrow('has no documents of the class negg; the nearest of its classes is pos');
  });

  it('reads only files whose names match', async () => {
    const path = await make({ 'a/1': 'one', 'a/index.html': 'no', 'b/22': 'two', 'b/x2': 'no' });
    expect((await readDirectory(path, { match: /^\d+$/g })).texts).toEqual(['one', 'two']);
    await expect(readDirectory(path, { match: /z/ })).rejects.toThrow('with files whose names match /z/ in');
  });

  it('keeps, drops or refuses empty documents, and counts them', async () => {
    const path = await make({ 'a/1': '', 'a/2': ' \n\t', 'a/3': 'x', 'b/1': 'y' });
    const kept = await readDirectory(path);
    expect([kept.texts, kept.emptyDocuments]).toEqual([['', ' \n\t', 'x', 'y'], 2]);
    const skipped = await readDirectory(path, { emptyDocuments: 'skip' });
    expect([skipped.texts, skipped.names, skipped.emptyDocuments]).toEqual([['x', 'y'], ['a/3', 'b/1'], 2]);
    await expect(readDirectory(path, { emptyDocuments: 'error' })).rejects.toThrow(/The document a\/1 of .* is empty/);
    const allEmpty = await make({ 'a/1': '', 'b/1': '' });
    await expect(readDirectory(allEmpty, { emptyDocuments: 'skip' })).rejects.toThrow(
      'holds no document but 2 empty ones',
    );
  });

  it("cuts headers as Keras' example does and reads newlines as Python does", async () => {
    const files = Object.fromEntries(oracle.documents.map(({ bytes }, i) => [`a/${i}`, Uint8Array.from(bytes)]));
    const path = await make(files);
    const options = { encoding: 'latin1', skipHeaders: true } as const;
    expect((await readDirectory(path, options)).texts).toEqual(oracle.documents.map(({ universal }) => universal));
    const raw = await readDirectory(path, { ...options, newlines: 'keep' });
    expect(raw.texts).toEqual(oracle.documents.map(({ keep }) => keep));
    const whole = await readDirectory(path, { encoding: 'latin1', newlines: 'keep' });
    expect(whole.texts).toEqual(oracle.documents.map((document) => document.whole));
  });

  it('takes UTF-8 without its byte order mark, and names the file and line that is not UTF-8', async () => {
    const good = await make({ 'a/1': '\ufeffété', 'b/1': '日本' });
    expect((await readDirectory(good)).texts).toEqual(['été', '日本']);
    const bad = await make({ 'a/1': 'fine', 'b/7': Buffer.from('two\nlines \xe9\n', 'latin1') });
    await expect(readDirectory(bad)).rejects.toMatchObject({
      name: 'InvalidFileError',
      code: 'ERR_TEXT_ENCODING',
      message: expect.stringMatching(/b\/7.* is not UTF-8 in line 2/),
    });
  });

  it('keeps the limits it is given', async () => {
    const path = await make({ 'a/1': 'x'.repeat(2000), 'a/2': 'y', 'b/1': 'z' });
    const codeFor = async (limits: ReadDirectoryOptions['limits']) =>
      readDirectory(path, { limits }).then(
        () => 'read',
        (error) => error.code,
      );
    expect(await codeFor({ documentBytes: 2000, entries: 3 })).toBe('read');
    expect(await codeFor({ documentBytes: 1999 })).toBe('ERR_LIMIT_DOCUMENT');
    expect(await codeFor({ entries: 2 })).toBe('ERR_LIMIT_ENTRIES');
    expect(await codeFor({ totalBytes: 2001 })).toBe('ERR_LIMIT_BYTES');
  });

  it('stops when its signal aborts', async () => {
    const path = await make({ 'a/1': 'x', 'b/1': 'y' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(readDirectory(path, { signal })).rejects.toThrow('enough');
  });
});

describe('readDirectory', () => {
  it.each<[unknown, string]>([
    [
      { encoding: 'utf8' },
      'Expected one of utf-8, latin1 for encoding but received "utf8" of type string; did you mean utf-8?',
    ],
    [{ newlines: 'crlf' }, 'Expected one of universal, keep for newlines but received "crlf" of type string'],
    [{ skipHeaders: 1 }, 'Expected a boolean for skipHeaders but received 1 of type number'],
    [{ classes: [] }, 'Expected an array of class names for classes but received [] of type array'],
    [{ classes: ['a', 'a'] }, `Expected distinct class names for classes but received 'a' twice`],
    [{ subset: '' }, 'Expected a non-empty string for subset'],
    [{ match: 'x' }, 'Expected a regular expression for match but received "x" of type string'],
    [{ emptyDocuments: true }, 'Expected one of keep, skip, error for emptyDocuments but received true'],
    [{ limits: { bytes: 1 } }, 'Unknown option bytes for limits; did you mean'],
    [
      { limits: { entries: -1 } },
      'Expected a positive integer or Infinity for limits.entries but received -1 of type number',
    ],
    [{ skipHeader: true }, 'Unknown option skipHeader for readDirectory; did you mean skipHeaders?'],
  ])('refuses the options %j', async (options, message) => {
    const read = readDirectory(scratch, options as ReadDirectoryOptions);
    await expect(read).rejects.toThrow(InvalidArgumentError);
    await expect(read).rejects.toThrow(message);
  });

  it('says that a path does not exist, and keeps the system error as the cause', async () => {
    const read = readDirectory(join(scratch, 'nowhere'));
    await expect(read).rejects.toThrow(FileAccessError);
    await expect(read).rejects.toMatchObject({
      code: 'ERR_FILE_ACCESS',
      message: expect.stringMatching(/^Cannot read .*nowhere: there is no such file or folder$/),
      cause: { code: 'ENOENT' },
    });
  });

  it('says that a folder holds nothing', async () => {
    await expect(readDirectory(folderOf({}))).rejects.toThrow(/Expected class folders with files in .* but found none/);
    await expect(readDirectory(folderOf({ 'a.txt': 'text' }))).rejects.toThrow('but found none');
  });

  it('follows links in a folder and says which one leads nowhere', async () => {
    const path = folderOf({ 'a/1': 'one', 'elsewhere/x': 'two' });
    mkdirSync(join(path, 'b'));
    symlinkSync(join(path, 'elsewhere/x'), join(path, 'b/link'));
    expect((await readDirectory(path, { classes: ['a', 'b'] })).texts).toEqual(['one', 'two']);
    symlinkSync('nowhere', join(path, 'b/broken'));
    await expect(readDirectory(path)).rejects.toThrow(FileAccessError);
  });

  it('is not led in a circle by a link to a folder above', async () => {
    const path = folderOf({ 'a/1': 'one' });
    symlinkSync('.', join(path, 'circle'));
    await expect(readDirectory(path)).rejects.toThrow('found folders within circle');
  });

  it.skipIf(process.getuid?.() === 0)('names the file that it may not read', async () => {
    const path = folderOf({ 'a/1': 'one', 'a/2': 'two' });
    chmodSync(join(path, 'a/2'), 0);
    await expect(readDirectory(path)).rejects.toThrow(/Cannot read .*: permission denied/);
  });

  it('leaves an invalid file within an archive by its path', async () => {
    const path = writeArchive(scratch, 'twice.tar', await tarOf({ 'a/1': 'one', './a/1': 'again' }));
    await expect(readDirectory(path)).rejects.toThrow(/twice.tar holds a\/1 twice/);
  });
});

describe('sortByCodePoint', () => {
  it('sorts as Python does, characters beyond U+FFFF last', () => {
    expect(sortByCodePoint([...oracle.sorted].reverse())).toEqual(oracle.sorted);
    expect(oracle.sorted.toSorted()).not.toEqual(oracle.sorted);
  });
});
