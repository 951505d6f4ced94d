import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, root } from './repository.js';

const FOLDER = join(root, 'examples/data');
const POSTS = 1800;
const GROUPS = 20;

describe('the sample of 20 Newsgroups', () => {
  const posts: { group: string; id: string; text: string }[] = [];
  let vectors: string[][];

  beforeAll(async () => {
    const archive = gunzipSync(readFileSync(join(FOLDER, '20news-sample.tar.gz')));
    for (const { header, data } of await unpackTar(archive)) {
      const [, group = '', id = ''] = header.name.split('/');
      posts.push({ group, id, text: Buffer.from(data ?? []).toString('latin1') });
    }
    const text = gunzipSync(readFileSync(join(FOLDER, 'vectors.100d.txt.gz'))).toString();
    vectors = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '));
  });

  test('is at most 1.5 MB, packed', () => {
    const size = filesBelow('examples/data').reduce((sum, path) => sum + statSync(join(root, path)).size, 0);
    expect(size).toBeLessThan(1_500_000);
  });

  test('has as many posts of every group', () => {
    const counts = new Map<string, number>();
    for (const { group } of posts) counts.set(group, (counts.get(group) ?? 0) + 1);
    expect(posts.length).toBe(POSTS);
    expect([...counts.values()]).toEqual(Array(GROUPS).fill(POSTS / GROUPS));
  });

  test('has no post twice, no headers, no addresses', () => {
    expect(new Set(posts.map(({ text }) => text)).size).toBe(POSTS);
    expect(posts.filter(({ text }) => !text.startsWith('\n\n'))).toEqual([]);
    expect(posts.filter(({ text }) => /\S@|@\S/.test(text))).toEqual([]);
  });

  test('has vectors of 100 finite numbers, one a word, for most words of the posts', () => {
    expect(vectors.filter((row) => row.length !== 101 || !row.slice(1).map(Number).every(Number.isFinite))).toEqual([]);
    const known = new Set(vectors.map(([word]) => word));
    expect(known.size).toBe(vectors.length);
    const words = posts.flatMap(({ text }) => text.toLowerCase().match(/[a-z']+/g) ?? []);
    expect(words.filter((word) => known.has(word)).length / words.length).toBeGreaterThan(0.85);
  });
});
