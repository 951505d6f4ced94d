/**
 * Makes examples/data from the originals: a sample of the 20 Newsgroups posts and the word vectors of its words.
 *
 *   node scripts/make-sample.mjs <20_newsgroup.tar.gz> <vectors.100d.txt.gz>
 *
 * The same originals give the same files. examples/data/README.md says what the sample holds.
 */

import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { constants, createGunzip, gunzipSync, gzipSync } from 'node:zlib';
import { packTar, unpackTar } from 'modern-tar';
import { main, root, SetupError } from './setup/command.mjs';

const POSTS_PER_GROUP = 90;
const FEWEST_WORDS = 40;
const MOST_WORDS = 200;
/** Words seen fewer times in the sample get no vector: they would cost more room than they teach. */
const FEWEST_OCCURRENCES = 2;
const DIGITS = 1;

const FOLDER = join(root, 'examples', 'data');

const digest = (text) => createHash('sha256').update(text).digest('hex');
const gzip = (bytes) => gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION });

/** The words of a text by the rules of Keras' Tokenizer. */
function wordsOf(text) {
  return text
    .toLowerCase()
    .replace(/[!"#$%&()*+,\-./:;<=>?@[\\\]^_`{|}~\t\n]/g, ' ')
    .split(' ')
    .filter((word) => word !== '');
}

/**
 * A post without its headers, e-mail addresses and telephone numbers. It keeps the blank line that ended the headers,
 * so that a reader that skips headers finds none and leaves the text whole.
 */
function bodyOf(post) {
  return post
    .slice(post.indexOf('\n\n'))
    .replace(/\S*@\S*/g, '')
    .replace(/\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}/g, '');
}

/** The groups a post was sent to, from its Newsgroups header. */
function groupsOf(post) {
  const headers = post.slice(0, post.indexOf('\n\n'));
  return (/^Newsgroups: *(.*)$/m.exec(headers)?.[1] ?? '').split(',').map((group) => group.trim());
}

async function readPosts(path) {
  const entries = await unpackTar(gunzipSync(readFileSync(path)));
  return entries
    .filter(({ header, data }) => header.type === 'file' && data)
    .map(({ header, data }) => {
      const [, group, id] = header.name.split('/');
      return { group, id, post: Buffer.from(data).toString('latin1') };
    });
}

/** The posts that may be in the sample: of one of the groups alone, no copy of another, plain ASCII, of middling length. */
function candidates(posts) {
  const groups = new Set(posts.map(({ group }) => group));
  const copies = new Map();
  for (const { post } of posts) {
    const key = digest(bodyOf(post));
    copies.set(key, (copies.get(key) ?? 0) + 1);
  }
  return posts
    .filter(({ post, group }) => groupsOf(post).every((name) => name === group || !groups.has(name)))
    .map(({ group, id, post }) => ({ group, id, body: bodyOf(post) }))
    .filter(({ body }) => copies.get(digest(body)) === 1 && /^[\t\n\x20-\x7e]*$/.test(body))
    .filter(({ body }) => {
      const { length } = wordsOf(body);
      return length >= FEWEST_WORDS && length <= MOST_WORDS;
    });
}

/** The first posts of each group in the order of a hash, which is a random order that does not change. */
function choose(posts) {
  const groups = [...new Set(posts.map(({ group }) => group))].sort();
  return groups.flatMap((group) => {
    const own = posts.filter((post) => post.group === group);
    if (own.length < POSTS_PER_GROUP) {
      throw new SetupError(`Expected ${POSTS_PER_GROUP} usable posts in ${group} but found ${own.length}`);
    }
    const key = ({ group, id }) => digest(`${group}/${id}`);
    return own.sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, POSTS_PER_GROUP);
  });
}

async function packPosts(posts) {
  const mtime = new Date(0);
  const entries = posts
    .map(({ group, id, body }) => ({ name: `20news-sample/${group}/${id}`, body: Buffer.from(body, 'latin1') }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, body }) => ({ header: { name, size: body.length, mtime, mode: 0o644 }, body }));
  return gzip(await packTar(entries));
}

function frequentWords(posts) {
  const counts = new Map();
  for (const word of posts.flatMap(({ body }) => wordsOf(body))) counts.set(word, (counts.get(word) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count >= FEWEST_OCCURRENCES).map(([word]) => word));
}

async function packVectors(path, words) {
  const lines = [];
  for await (const line of createInterface({ input: createReadStream(path).pipe(createGunzip()) })) {
    const [word, ...values] = line.split(' ');
    if (words.has(word)) lines.push([word, ...values.map((value) => String(Number(Number(value).toFixed(DIGITS))))]);
  }
  const text = lines.map((line) => `${line.join(' ')}\n`).join('');
  return { count: lines.length, bytes: gzip(text) };
}

await main(async () => {
  const [archive, vectors] = process.argv.slice(2);
  if (vectors === undefined) throw new SetupError('Expected two paths: the archive of posts and the word vectors');
  const posts = choose(candidates(await readPosts(archive)));
  const packed = await packPosts(posts);
  const words = frequentWords(posts);
  const packedVectors = await packVectors(vectors, words);
  writeFileSync(join(FOLDER, '20news-sample.tar.gz'), packed);
  writeFileSync(join(FOLDER, 'vectors.100d.txt.gz'), packedVectors.bytes);
  console.log(`20news-sample.tar.gz: ${posts.length} posts, ${packed.length} bytes`);
  console.log(
    `vectors.100d.txt.gz: ${packedVectors.count} of ${words.size} words, ${packedVectors.bytes.length} bytes`,
  );
});
