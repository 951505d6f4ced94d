import { expect, test } from 'vitest';
import { textLikeTokens } from '../../src/timing/text-like-tokens.js';

const ROWS = 1280;
const { data, shape } = textLikeTokens(ROWS, 1000, 20_000, 7);

test('posts are padded in front, and as much as those of 20 Newsgroups: 78 % of 1,000 positions', () => {
  expect(shape).toEqual([ROWS, 1000]);
  let padding = 0;
  for (let row = 0; row < ROWS; row++) {
    const post = data.subarray(row * 1000, (row + 1) * 1000);
    const length = 1000 - post.lastIndexOf(0) - 1;
    expect(post.subarray(1000 - length)).not.toContain(0);
    padding += post.indexOf(0) < 0 ? 0 : 1000 - length;
  }
  expect(padding / data.length).toBeGreaterThan(0.76);
  expect(padding / data.length).toBeLessThan(0.8);
});

test('128 posts have about 5,100 words that differ, the commonest of them 5 % of all', () => {
  const counts = new Map<number, number>();
  for (const id of data) counts.set(id, (counts.get(id) ?? 0) + 1);
  expect(Math.min(...counts.keys())).toBe(0);
  expect(Math.max(...counts.keys())).toBeLessThan(20_000);
  const all = data.length - (counts.get(0) as number);
  expect((counts.get(1) as number) / all).toBeCloseTo(0.05, 2);
  expect((counts.get(100) as number) / all).toBeCloseTo(0.0012, 3);
  const sizes = Array.from({ length: 10 }, (_, i) => new Set(data.subarray(i * 128_000, (i + 1) * 128_000)).size);
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  expect(mean).toBeGreaterThan(4800);
  expect(mean).toBeLessThan(5700);
});

test('the seed decides the tokens', () => {
  expect(textLikeTokens(4, 50, 100, 7)).toEqual(textLikeTokens(4, 50, 100, 7));
  expect(textLikeTokens(4, 50, 100, 8)).not.toEqual(textLikeTokens(4, 50, 100, 7));
});
