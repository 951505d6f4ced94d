import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileAccessError, InvalidArgumentError, InvalidDataError } from '../../src/errors.js';
import { CsvParser } from '../../src/text/csv-rows.js';
import { checkedLimits } from '../../src/text/limits.js';
import { type ReadCsvOptions, readCsv } from '../../src/text/read-csv.js';
import { type ReadJsonlOptions, readJsonl } from '../../src/text/read-jsonl.js';
import { temporaryFolder } from '../temporary-folder.js';

// Written by Python's csv module: test/oracle/text.py.
const csvCases: { content: string; rows: string[][] }[] = JSON.parse(
  readFileSync(new URL('../oracle/fixtures/text.json', import.meta.url), 'utf8'),
).csv;

const scratch = temporaryFolder();
let made = 0;

function file(name: string, content: string | Uint8Array): string {
  const path = join(scratch, `${made++}-${name}`);
  writeFileSync(path, content);
  return path;
}

describe('CsvParser', () => {
  it.each(csvCases)("reads what Python's csv reads from $content, however it is cut", ({ content, rows }) => {
    for (let length = 1; length <= content.length; length++) {
      const parser = new CsvParser('file.csv', ',', checkedLimits());
      const parsed: string[][] = [];
      for (let start = 0; start < content.length; start += length) {
        parsed.push(...parser.push(content.slice(start, start + length)).map(({ fields }) => fields));
      }
      parsed.push(...parser.finish().map(({ fields }) => fields));
      expect(parsed).toEqual(rows);
    }
  });
});

describe('readCsv', () => {
  const columns = { text: 'text', label: 'label' };

  it('gives texts by column name, labels sorted, and the lines where the rows begin', async () => {
    const path = file('a.csv', 'id,label,text\r\n1,pos,"good, ""very"" good"\r\n2,neg,"two\nlines"\r\n\r\n3,pos,last');
    expect(await readCsv(path, columns)).toEqual({
      texts: ['good, "very" good', 'two\nlines', 'last'],
      labels: Int32Array.of(1, 0, 1),
      classNames: ['neg', 'pos'],
      names: ['line 2', 'line 3', 'line 6'],
      emptyDocuments: 0,
    });
  });

  it('gives texts by column number from a file without a header, packed or not, in Latin-1, with tabs', async () => {
    const content = Buffer.from('été\tb\nzwei\ta\n', 'latin1');
    const options = { text: 0, label: 1, separator: '\t', encoding: 'latin1' } as const;
    const expected = expect.objectContaining({ texts: ['été', 'zwei'], labels: Int32Array.of(1, 0) });
    expect(await readCsv(file('a.tsv', content), options)).toEqual(expected);
    expect(await readCsv(file('a.tsv.gz', gzipSync(content)), options)).toEqual(expected);
  });

  it('does not take a byte order mark for a part of the first column', async () => {
    const { texts } = await readCsv(file('bom.csv', '\ufefftext,label\na,b\n'), columns);
    expect(texts).toEqual(['a']);
  });

  it('sorts whole numbers as numbers, and other labels as strings', async () => {
    const numbers = await readCsv(file('n.csv', 'text,label\na,10\nb,9\nc,-1\n'), columns);
    expect([numbers.classNames, [...numbers.labels]]).toEqual([
      ['-1', '9', '10'],
      [2, 1, 0],
    ]);
    const strings = await readCsv(file('s.csv', 'text,label\na,10\nb,9\nc,x\n'), columns);
    expect(strings.classNames).toEqual(['10', '9', 'x']);
  });

  it('keeps the given classes and their order, and refuses any other label', async () => {
    const path = file('c.csv', 'text,label\na,pos\nb,neg\n');
    const { classNames, labels } = await readCsv(path, { ...columns, classes: ['pos', 'neutral', 'neg'] });
    expect([classNames, [...labels]]).toEqual([
      ['pos', 'neutral', 'neg'],
      [0, 2],
    ]);
    await expect(readCsv(path, { ...columns, classes: ['pos', 'negative'] })).rejects.toThrow(
      /Expected a label among classes but line 3 of .* has 'neg'; the nearest is 'pos'|'negative'/,
    );
  });

  it('treats empty texts as asked', async () => {
    const path = file('e.csv', 'text,label\n,a\n" ",a\nx,b\n');
    expect(await readCsv(path, columns)).toMatchObject({ texts: ['', ' ', 'x'], emptyDocuments: 2 });
    expect(await readCsv(path, { ...columns, emptyDocuments: 'skip' })).toMatchObject({
      texts: ['x'],
      names: ['line 4'],
    });
    await expect(readCsv(path, { ...columns, emptyDocuments: 'error' })).rejects.toThrow('The document line 2 of');
  });

  it.each<[string, string, string | Uint8Array, RegExp]>([
    ['ERR_CSV_COLUMNS', 'a row of other length', 'text,label\na,b\n\na,b,c\n', /Line 4 of .* has 3 fields .* has 2/],
    ['ERR_CSV_QUOTE', 'a quote in a field', 'text,label\nsay "hi",b\n', /Line 2 of .*: a quote stands where none can/],
    ['ERR_CSV_QUOTE', 'text after a quote', 'text,label\n"say" hi,b\n', /Line 2 of/],
    ['ERR_CSV_QUOTE', 'a field after a line end', 'text,label\n"say"\r,b\n', /Line 2 of/],
    [
      'ERR_CSV_UNTERMINATED',
      'an open quote',
      'text,label\na,b\n"never\nclosed,b\n',
      /Line 3 of .* ends within the quotes/,
    ],
    ['ERR_TEXT_ENCODING', 'Latin-1', Buffer.from('text,label\na,b\n\xe9,b\n', 'latin1'), /is not UTF-8 in line 3/],
    ['ERR_DATA', 'an empty label', 'text,label\na,\n', /Expected a label but line 2 of .* has an empty one/],
    ['ERR_DATA', 'no row', 'text,label\n', /holds no document/],
    ['ERR_DATA', 'nothing', '', /holds no document/],
    ['ERR_DATA', 'no such column', 'texts,label\na,b\n', /has no column 'text'; its columns are texts, label$/],
  ])('answers %s to %s', async (code, _what, content, message) => {
    await expect(readCsv(file('bad.csv', content), columns)).rejects.toMatchObject({
      code: code === 'ERR_DATA' ? 'ERR_INVALID_DATA' : code,
      message: expect.stringMatching(message),
    });
  });

  it('keeps its limits', async () => {
    const path = file('long.csv', `text,label\n"${'x\n'.repeat(1000)}",b\n`);
    const limited = (limits: ReadCsvOptions['limits']) => readCsv(path, { ...columns, limits });
    await expect(limited({ documentBytes: 1999 })).rejects.toMatchObject({ code: 'ERR_LIMIT_DOCUMENT' });
    await expect(limited({ totalBytes: 1999 })).rejects.toMatchObject({ code: 'ERR_LIMIT_BYTES' });
    expect((await limited({ documentBytes: 2010 })).texts[0]).toHaveLength(2000);
  });

  it.each<[unknown, string]>([
    [{ text: 'a' }, 'Expected the name of a column or its number from 0 for label but received undefined'],
    [{ text: 'a', label: 1 }, 'Expected text and label to be both names or both numbers of columns'],
    [{ text: -1, label: 1 }, 'Expected the name of a column or its number from 0 for text but received -1'],
    [{ ...columns, separator: ';;' }, 'Expected one character, no quote or line end for separator'],
    [{ ...columns, separator: '"' }, 'Expected one character, no quote or line end for separator'],
    [{ ...columns, delimiter: ';' }, 'Unknown option delimiter for readCsv'],
  ])('refuses the options %j', async (options, message) => {
    const read = readCsv(file('o.csv', 'text,label\na,b\n'), options as ReadCsvOptions);
    await expect(read).rejects.toThrow(InvalidArgumentError);
    await expect(read).rejects.toThrow(message);
  });

  it('says that a column number is too large, and that a file is missing or a folder', async () => {
    await expect(readCsv(file('k.csv', 'a,b\n'), { text: 0, label: 2 })).rejects.toThrow(
      'has no column 2; the last of its 2 is 1',
    );
    await expect(readCsv(join(scratch, 'none.csv'), columns)).rejects.toThrow(FileAccessError);
    await expect(readCsv(scratch, columns)).rejects.toThrow(/Cannot read .*: it is no regular file/);
  });
});

describe('readJsonl', () => {
  const fields = { text: 'text', label: 'label' };

  it('gives texts and labels by field name, in the order of the file', async () => {
    const content =
      '\ufeff{"text": "été\\n日本", "label": "b", "more": [1]}\r\n\n{"label": "a", "text": ""}\n  {"text":"x","label":"b"}';
    const expected = {
      texts: ['été\n日本', '', 'x'],
      labels: Int32Array.of(1, 0, 1),
      classNames: ['a', 'b'],
      names: ['line 1', 'line 3', 'line 4'],
      emptyDocuments: 1,
    };
    expect(await readJsonl(file('a.jsonl', content), fields)).toEqual(expected);
    expect(await readJsonl(file('a.jsonl.gz', gzipSync(content)), fields)).toEqual(expected);
  });

  it('takes numbers and booleans for labels', async () => {
    const numbers = await readJsonl(file('n.jsonl', '{"text":"a","label":10}\n{"text":"b","label":2}\n'), fields);
    expect([numbers.classNames, [...numbers.labels]]).toEqual([
      ['2', '10'],
      [1, 0],
    ]);
    const truths = await readJsonl(file('t.jsonl', '{"text":"a","label":true}\n{"text":"b","label":false}\n'), fields);
    expect(truths.classNames).toEqual(['false', 'true']);
  });

  it('reads lines that lie across pieces of the file', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ text: 'é'.repeat(i % 400), label: `c${i % 3}` }));
    const { texts } = await readJsonl(file('p.jsonl', rows.map((row) => JSON.stringify(row)).join('\n')), fields);
    expect(texts).toEqual(rows.map(({ text }) => text));
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ['ERR_JSONL_SYNTAX', '{"text":"a","label":"b"}\n{"text":\n', /^Expected JSON in line 2 of .*bad.jsonl: /],
    ['ERR_JSONL_FIELD', '["a","b"]', /^Expected an object for line 1 of .* but received \["a","b"\] of type array/],
    ['ERR_JSONL_FIELD', '\nnull', /^Expected an object for line 2 of .* but received null/],
    ['ERR_JSONL_FIELD', '{"label":"b"}', /^Expected a string for 'text' in line 1 of .* but received undefined/],
    ['ERR_JSONL_FIELD', '{"text":5,"label":"b"}', /^Expected a string for 'text' .* received 5 of type number/],
    ['ERR_JSONL_FIELD', '{"text":"a","label":null}', /^Expected a string, number or boolean for 'label' in line 1/],
    ['ERR_TEXT_ENCODING', Buffer.from('\n\n{"text":"\xe9"}', 'latin1'), /is not UTF-8 in line 3/],
    ['ERR_INVALID_DATA', '{"text":"a","label":""}', /^Expected a label but line 1 of/],
    ['ERR_INVALID_DATA', '\n', /holds no document/],
  ])('answers %s to %j', async (code, content, message) => {
    await expect(readJsonl(file('bad.jsonl', content), fields)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('does not take what every object inherits for a field', async () => {
    const read = readJsonl(file('i.jsonl', '{"a":1}'), { text: 'toString', label: 'a' });
    await expect(read).rejects.toThrow("Expected a string for 'toString' in line 1");
  });

  it('refuses a line without end and unknown classes', async () => {
    const path = file('l.jsonl', `{"text":"${'x'.repeat(200_000)}","label":"b"}\n`);
    await expect(readJsonl(path, { ...fields, limits: { documentBytes: 1000 } })).rejects.toMatchObject({
      code: 'ERR_LIMIT_DOCUMENT',
      message: expect.stringMatching(/^Line 1 of/),
    });
    await expect(readJsonl(path, { ...fields, classes: ['a'] })).rejects.toThrow(InvalidDataError);
    await expect(readJsonl(path, { text: 'text' } as ReadJsonlOptions)).rejects.toThrow(InvalidArgumentError);
  });
});
