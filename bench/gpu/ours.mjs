/**
 * This package on the GPU: `node bench/gpu/ours.mjs '<task as JSON>'`. Prints a line of JSON for each variant at each
 * size, as soon as it is known, so that one that hangs costs no other.
 *
 *     { task: 'layer', shapes, variants, rounds, warmups }              random numbers, all states, gradient of the input
 *     { task: 'lengths', shape, lengths, vocabulary, variants, ... }    tokens, with and without padding that is skipped
 *     { task: 'implementations', shapes, rounds, warmups }              the standard LSTM by this package, and by cuDNN
 *     { task: 'network', rows, variants, ... }                          training steps of the network of Kent & Salem
 *     { task: 'together', rows, variant, counts, rounds }               several such networks that train at once
 */

import { kentSalemNetworks } from '../../dist/cli/bench-network.js';
import { kentSalem } from '../../dist/experiments/kent-salem.js';
import { sequential } from '../../dist/index.js';
import { textLikeTokens } from '../../dist/timing/text-like-tokens.js';
import { timeLayers } from '../../dist/timing/time-layer.js';
import { timeNetworks } from '../../dist/timing/time-network.js';
import { resolveVariant } from '../../dist/variants.js';

const DEVICE = 'cuda';
const SEED = 1;
const CLASSES = 20;

const tell = (line) => console.log(JSON.stringify(line));

/** Side by side, in turns; where one of them cannot be served each of the others by itself. */
async function timed(variants, setting, line) {
  let timings;
  try {
    timings = await timeLayers(variants, setting);
  } catch (error) {
    if (variants.length === 1) tell({ ...line, variant: variants[0], error: error.message });
    else for (const variant of variants) await timed([variant], setting, line);
    return;
  }
  for (const { variant, device, flops, forward, training } of timings) {
    tell({ ...line, variant: variant.name, device, flops, forward, training });
  }
}

const TASKS = {
  async layer({ shapes, variants, rounds: repeats, warmups }) {
    for (const shape of shapes) {
      const setting = { ...shape, device: DEVICE, repeats, warmups, seed: SEED };
      await timed(variants, { ...setting, returnSequences: true, inputGradient: true }, { shape });
    }
  },

  async implementations({ shapes, rounds: repeats, warmups }) {
    for (const shape of shapes) {
      for (const implementation of ['slim', 'cudnn']) {
        const setting = { ...shape, device: DEVICE, repeats, warmups, seed: SEED, implementation };
        const line = { shape, implementation };
        await timed(['LSTM'], { ...setting, returnSequences: true, inputGradient: true }, line);
      }
    }
  },

  async lengths({ shape, lengths, vocabulary, variants, rounds: repeats, warmups }) {
    const setting = { ...shape, device: DEVICE, repeats, warmups, seed: SEED, inputGradient: false };
    for (const padded of [false, true]) {
      const ids = tokens(shape.steps, lengths, vocabulary, padded);
      await timed(variants, { ...setting, tokens: { ids, vocabulary, maskZero: padded } }, { shape, padded });
    }
  },

  async network({ rows, variants, rounds: repeats, warmups }) {
    const { tokens: rowsOfTokens, labels, networks } = posts(rows, variants);
    for (const network of networks) {
      try {
        const [{ device, milliseconds }] = await timeNetworks(
          [network],
          {
            tokens: rowsOfTokens,
            labels,
            batchSize: kentSalem.batchSize,
            device: DEVICE,
            repeats,
            warmups,
            seed: SEED,
          },
          () => {},
        );
        tell({ variant: network.name, device, training: milliseconds });
      } catch (error) {
        tell({ variant: network.name, error: error.message });
      }
    }
  },

  async together({ rows, variant, counts, rounds: epochs }) {
    const { tokens: rowsOfTokens, labels, networks } = posts(rows, [variant]);
    for (const count of counts) {
      const models = Array.from({ length: count }, (_, i) => {
        const inputShape = rowsOfTokens.shape.slice(1);
        const model = sequential(networks[0].layers, { inputShape, device: DEVICE, seed: SEED + i });
        model.compile({ optimizer: 'rmsprop', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
        return model;
      });
      const train = (more) =>
        Promise.all(
          models.map((model) =>
            model.fit(rowsOfTokens, labels, { ...more, batchSize: kentSalem.batchSize, verbose: 0 }),
          ),
        );
      try {
        await train({ epochs: 1 });
        const begun = performance.now();
        await train({ initialEpoch: 1, epochs: 1 + epochs });
        const seconds = (performance.now() - begun) / 1000;
        tell({ variant, together: count, postsPerSecond: (count * epochs * rows) / seconds });
      } catch (error) {
        tell({ variant, together: count, error: error.message });
      } finally {
        for (const model of models) model.dispose();
      }
    }
  },
};

/** Rows that cost a network what posts cost it, and the networks. */
function posts(rows, variants) {
  return {
    tokens: textLikeTokens(rows, kentSalem.maxLength, kentSalem.numWords, SEED),
    labels: Int32Array.from({ length: rows }, (_, row) => row % CLASSES),
    networks: kentSalemNetworks(
      variants.map((variant) => resolveVariant(variant)),
      { words: kentSalem.numWords, classes: CLASSES },
      { dropout: 0.2, recurrentDropout: 0.3 },
    ),
  };
}

/** Rows of those lengths, padded in front with id 0; without padding rows of all steps. */
function tokens(steps, lengths, vocabulary, padded) {
  const ids = new Int32Array(lengths.length * steps);
  for (const [row, length] of lengths.entries()) {
    const first = padded ? steps - length : 0;
    for (let step = first; step < steps; step++) {
      ids[row * steps + step] = 1 + (((row * steps + step) * 7919) % (vocabulary - 1));
    }
  }
  return ids;
}

const { task, ...description } = JSON.parse(process.argv[2]);
await TASKS[task](description);
