/** The network of Kent & Salem on real posts, beside Keras on TensorFlow. */

import { join } from 'node:path';
import { writeArrays } from '../instrument/arrays.mjs';
import { dataFile, newsgroupPosts } from '../instrument/real-data.mjs';
import { takeTurns } from '../instrument/turns.mjs';
import { goals } from './goals.mjs';

export const title = 'The network of Kent & Salem beside Keras';

const POSTS = 4096;
const BATCH_SIZE = 128;
const VARIANTS = ['LSTM', 'LSTM3'];

const archive = ({ data }) => dataFile(data, join('20news', '20_newsgroup.tar.gz'));
const vectors = ({ data }) => dataFile(data, join('vectors', 'news-imdb.ppmi-svd.100d.txt.gz'));

/** Posts and vectors, or undefined where one of them is missing. */
export const needs = (context) => archive(context) && vectors(context);

export async function measure(context) {
  const { ours, keras, scratch, rounds, pace, progress } = context;
  const folder = join(scratch, 'posts');
  writeArrays(folder, await newsgroupPosts(archive(context), vectors(context), POSTS));
  const timed = (contestant, key) => async () => (await contestant.call('time-network', { key })).postsPerSecond;
  const entrants = [];
  for (const variant of VARIANTS) {
    await ours.call('network', { key: variant, folder, variant, batchSize: BATCH_SIZE });
    await ours.call('time-network', { key: variant });
    entrants.push({ name: variant, turn: timed(ours, variant) });
  }
  const { chosen } = await keras.call('network', { key: 'network', folder, batchSize: BATCH_SIZE });
  entrants.push({ name: 'Keras LSTM', form: chosen, turn: timed(keras, 'network') });
  const rows = await takeTurns(entrants, rounds, progress, pace);
  const peer = rows.at(-1);
  return {
    about:
      `Training on ${POSTS.toLocaleString('en')} posts of 20 Newsgroups, 1,000 tokens each, batches of ${BATCH_SIZE}: posts a ` +
      'second from the first batch of an epoch to its last. Both sides read the same ids and the same word vectors.',
    groups: [
      {
        title: 'an epoch of training',
        unit: 'posts/s',
        score: 'times Keras',
        rows: rows.map((row) => ({
          ...row,
          score: row.median / peer.median,
          goal: row === peer ? undefined : goals.network,
        })),
      },
    ],
  };
}
