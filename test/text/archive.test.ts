import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import { describe, expect, it } from 'vitest';
import { InvalidFileError, SlimLstmError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { type ReadDirectoryOptions, readDirectory } from '../../src/text/read-directory.js';
import { temporaryFolder } from '../temporary-folder.js';
import { END, paxRecord, rawEntry, repairChecksums, tarOf, writeArchive } from './archives.js';

const scratch = temporaryFolder();
const a = rawEntry({ name: 'a/1' }, 'one');
const b = rawEntry({ name: 'b/1' }, 'two');

let made = 0;
const archive = (...parts: Uint8Array[]) => writeArchive(scratch, `archive${made++}.tar`, Buffer.concat(parts));

async function codeOf(path: string, options?: ReadDirectoryOptions): Promise<string> {
  try {
    await readDirectory(path, options);
  } catch (error) {
    if (error instanceof InvalidFileError) return error.code;
    throw error;
  }
  return 'read';
}

describe('a tar archive', () => {
  it('may be in the ustar, GNU, V7 or pax dialect', async () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(130)}`;
    const path = archive(
      rawEntry({ name: '1', prefix: 'ustar' }, 'prefix'),
      rawEntry({ name: '././@LongLink', type: 'L', magic: 'ustar  \0' }, `${long}\0`),
      rawEntry({ name: long.slice(0, 100), magic: 'ustar  \0', prefix: 'not a prefix' }, 'gnu'),
      rawEntry({ name: 'v7/', type: '\0', magic: '\0' }),
      rawEntry({ name: 'v7/1', type: '\0', magic: '\0' }, 'v7'),
      rawEntry({ name: 'pax_global', type: 'g' }, paxRecord('comment', 'a1b2c3d')),
      rawEntry({ name: 'PaxHeader', type: 'x' }, paxRecord('path', 'päx/é') + paxRecord('size', '3')),
      rawEntry({ name: 'short', size: '00000000000\0' }, '').subarray(0, 512),
      Buffer.from('pax'.padEnd(512, '\0')),
      rawEntry({ name: 'folder', type: '5', size: '00000001000\0' }),
      rawEntry({ name: 'big/1', size: `\x80${'\0'.repeat(10)}\x03` }, 'big'),
      END,
    );
    const { texts, names } = await readDirectory(path);
    expect(Object.fromEntries(names.map((name, i) => [name, texts[i]]))).toEqual({
      'ustar/1': 'prefix',
      [long]: 'gnu',
      'v7/1': 'v7',
      'päx/é': 'pax',
      'big/1': 'big',
    });
  });

  it('is read alike however its bytes are cut into pieces', async () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 300; i++) files[`c${i % 7}/${i}`] = `${i} `.repeat((i * i) % 5000);
    const path = writeArchive(scratch, 'pieces.tar.gz', await tarOf(files));
    const { texts, names } = await readDirectory(path);
    expect(Object.fromEntries(names.map((name, i) => [name, texts[i]]))).toEqual(files);
  });

  it('is known by its content, not by its name', async () => {
    const path = join(scratch, 'data.bin');
    writeFileSync(path, gzipSync(Buffer.concat([a, b, END])));
    expect((await readDirectory(path)).texts).toEqual(['one', 'two']);
  });

  it.each<[string, string, Uint8Array[]]>([
    ['leads upwards', 'ERR_ARCHIVE_PATH', [rawEntry({ name: '../evil/1' }, 'x')]],
    ['leads upwards in the middle', 'ERR_ARCHIVE_PATH', [rawEntry({ name: 'a/../../evil/1' }, 'x')]],
    ['leads upwards with backslashes', 'ERR_ARCHIVE_PATH', [rawEntry({ name: 'a\\..\\evil' }, 'x')]],
    ['is absolute', 'ERR_ARCHIVE_PATH', [rawEntry({ name: '/etc/passwd' }, 'x')]],
    ['names a drive', 'ERR_ARCHIVE_PATH', [rawEntry({ name: 'C:\\a\\1' }, 'x')]],
    ['is empty', 'ERR_ARCHIVE_PATH', [rawEntry({ name: '' }, 'x')]],
    [
      'leads upwards by a pax record',
      'ERR_ARCHIVE_PATH',
      [rawEntry({ name: 'p', type: 'x' }, paxRecord('path', '../e')), a],
    ],
    ['leads upwards by a long name', 'ERR_ARCHIVE_PATH', [rawEntry({ name: 'L', type: 'L' }, '../evil\0'), a]],
    ['is a symbolic link', 'ERR_ARCHIVE_LINK', [rawEntry({ name: 'a/2', type: '2' })]],
    ['is a hard link', 'ERR_ARCHIVE_LINK', [rawEntry({ name: 'a/2', type: '1' })]],
    ['is a character device', 'ERR_ARCHIVE_DEVICE', [rawEntry({ name: 'a/2', type: '3' })]],
    ['is a block device', 'ERR_ARCHIVE_DEVICE', [rawEntry({ name: 'a/2', type: '4' })]],
    ['is a pipe', 'ERR_ARCHIVE_DEVICE', [rawEntry({ name: 'a/2', type: '6' })]],
    ['is a sparse file of GNU', 'ERR_ARCHIVE_ENTRY_TYPE', [rawEntry({ name: 'a/2', type: 'S' }, 'x')]],
    [
      'is a sparse file of pax',
      'ERR_ARCHIVE_ENTRY_TYPE',
      [rawEntry({ name: 'p', type: 'x' }, paxRecord('GNU.sparse.major', '1')), a],
    ],
    ['has a damaged checksum', 'ERR_ARCHIVE_CHECKSUM', [rawEntry({ name: 'a/2', checksum: '000001\0 ' }, 'x')]],
    ['has a size that is no number', 'ERR_ARCHIVE_HEADER', [rawEntry({ name: 'a/2', size: '99999999999\0' }, 'x')]],
    ['has a negative size', 'ERR_ARCHIVE_HEADER', [rawEntry({ name: 'a/2', size: '\xff'.repeat(12) }, 'x')]],
    [
      'has a size beyond all numbers',
      'ERR_ARCHIVE_HEADER',
      [rawEntry({ name: 'a/2', size: `\x80${'\xff'.repeat(11)}` })],
    ],
    ['claims more than a document may have', 'ERR_LIMIT_DOCUMENT', [rawEntry({ name: 'a/2', size: '77777777777\0' })]],
    ['claims a name of gigabytes', 'ERR_ARCHIVE_HEADER', [rawEntry({ name: 'L', type: 'L', size: '77777777777\0' })]],
    ['has a pax record without length', 'ERR_ARCHIVE_HEADER', [rawEntry({ name: 'p', type: 'x' }, 'path=a/b\n'), a]],
    [
      'has a pax record beyond its header',
      'ERR_ARCHIVE_HEADER',
      [rawEntry({ name: 'p', type: 'x' }, '99 path=a/b\n'), a],
    ],
    [
      'has a pax record that does not end',
      'ERR_ARCHIVE_HEADER',
      [rawEntry({ name: 'p', type: 'x' }, '11 path=a/bc'), a],
    ],
    [
      'has a pax size that is no number',
      'ERR_ARCHIVE_HEADER',
      [rawEntry({ name: 'p', type: 'x' }, paxRecord('size', '-1')), a],
    ],
    ['renames all entries', 'ERR_ARCHIVE_HEADER', [rawEntry({ name: 'g', type: 'g' }, paxRecord('path', 'a/b')), a]],
  ])('is refused if an entry %s: %s', async (_what, code, parts) => {
    expect(await codeOf(archive(b, ...parts, END))).toBe(code);
  });

  it('is refused wherever it is cut off', async () => {
    const whole = Buffer.concat([a, b, END]);
    for (const length of [511, 513, 600, 1023, 1024, 1536, 2047, 2048]) {
      const code = await codeOf(archive(whole.subarray(0, length)));
      expect([length, code]).toEqual([length, length < 512 ? 'ERR_ARCHIVE_FORMAT' : 'ERR_ARCHIVE_TRUNCATED']);
    }
    expect(await codeOf(archive(whole.subarray(0, 2560)))).toBe('read');
  });

  it('is refused if it is none', async () => {
    expect(await codeOf(archive(Buffer.from('no archive at all')))).toBe('ERR_ARCHIVE_FORMAT');
    expect(await codeOf(archive(Buffer.alloc(2048, 'text ')))).toBe('ERR_ARCHIVE_FORMAT');
    expect(await codeOf(archive(Buffer.alloc(0)))).toBe('ERR_ARCHIVE_FORMAT');
    expect(await codeOf(writeArchive(scratch, 'text.tar.gz', Buffer.from('text')))).toBe('ERR_ARCHIVE_FORMAT');
  });

  it('is refused wherever its gzip is cut off or damaged', async () => {
    const words = Array.from({ length: 40_000 }, (_, i) => ((i * 48271) % 65537).toString(36)).join(' ');
    const packed = gzipSync(Buffer.concat([rawEntry({ name: 'a/2' }, words), b, END]));
    const write = (bytes: Uint8Array) => {
      const path = join(scratch, `damaged${made++}.tar.gz`);
      writeFileSync(path, bytes);
      return path;
    };
    expect(await codeOf(write(packed))).toBe('read');
    for (const length of [3, 12, 1000, packed.length - 9, packed.length - 1]) {
      expect([length, await codeOf(write(packed.subarray(0, length)))]).toEqual([length, 'ERR_GZIP_TRUNCATED']);
    }
    const flipped = Buffer.from(packed);
    flipped.writeUInt8(flipped.readUInt8(flipped.length - 6) ^ 0xff, flipped.length - 6);
    expect(await codeOf(write(flipped))).toBe('ERR_GZIP_CORRUPT');
  });

  it('gives documents or an error with a code, whatever happens to its bytes', async () => {
    const sound = Buffer.concat([
      rawEntry({ name: 'p', type: 'x' }, paxRecord('path', 'a/long name') + paxRecord('size', '3')),
      a,
      rawEntry({ name: 'L', type: 'L', magic: 'ustar  \0' }, 'b/another name\0'),
      b,
      END,
    ]);
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 400; seed++) {
      const random = new RandomStream(seed, 0, 0);
      const bytes = Buffer.from(sound);
      // Headers' fields and records, not their zeros, are where a change tells.
      const written = [...bytes.keys()].filter((i) => bytes[i] !== 0);
      for (let i = 0; i < 2; i++) {
        const place = written[random.word(2 * i) % written.length] as number;
        bytes.writeUInt8(random.word(2 * i + 1) & 0xff, place);
      }
      if (seed % 2 === 0) repairChecksums(bytes);
      outcomes.add(
        await readDirectory(archive(bytes)).then(
          () => 'read',
          (error) => (error instanceof SlimLstmError ? error.code : `${error}`),
        ),
      );
    }
    expect([...outcomes].filter((outcome) => !/^(read|ERR_[A-Z_]+)$/.test(outcome))).toEqual([]);
    expect(outcomes.size).toBeGreaterThan(5);
  });

  it.skipIf(process.platform !== 'linux')('is closed again, refused or not', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const good = archive(a, b, END);
    const bad = archive(a, rawEntry({ name: '../evil' }), END);
    const before = open();
    for (let i = 0; i < 20; i++) await Promise.allSettled([readDirectory(good), readDirectory(bad)]);
    expect(open()).toBeLessThan(before + 5);
  });

  it('is stopped when it unpacks without end, before memory runs out', async () => {
    const zeros = gzipSync(rawEntry({ name: 'a/1', size: '77777777777\0' }, Buffer.alloc(40 * 2 ** 20)), { level: 9 });
    const path = join(scratch, 'bomb.tar.gz');
    writeFileSync(path, zeros);
    expect(zeros.length).toBeLessThan(50_000);
    const documentBytes = Number.POSITIVE_INFINITY;
    const before = process.memoryUsage().arrayBuffers;
    expect(await codeOf(path, { limits: { documentBytes } })).toBe('ERR_LIMIT_RATIO');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * 2 ** 20);
    const ratio = Number.POSITIVE_INFINITY;
    expect(await codeOf(path, { limits: { documentBytes, ratio, totalBytes: 10 ** 6 } })).toBe('ERR_LIMIT_BYTES');
    expect(await codeOf(path, { limits: { documentBytes, ratio } })).toBe('ERR_ARCHIVE_TRUNCATED');
  });

  it('is stopped when it has entries without end', async () => {
    const folders = Array.from({ length: 50 }, (_, i) => ({
      header: { name: `f${i}/`, size: 0, type: 'directory' as const },
    }));
    const path = archive(Buffer.from(await packTar(folders)));
    expect(await codeOf(path, { limits: { entries: 49 } })).toBe('ERR_LIMIT_ENTRIES');
  });
});
