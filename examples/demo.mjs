/**
 * Trains the network of Kent & Salem 2019 with LSTM3, the slim LSTM whose gates are biases alone, on a sample of 20
 * Newsgroups, and classifies three sentences. `npm run demo` builds what it needs and runs this.
 */

import { fileURLToPath } from 'node:url';
import {
  layers,
  optimizers,
  padSequences,
  readDirectory,
  sequential,
  tokenizer,
  trainValidationSplit,
  wordVectors,
} from 'slim-lstm';

const NUM_WORDS = 20000;
const MAX_LENGTH = 1000;
const EPOCHS = 15;

const SENTENCES = [
  'The goalie stopped thirty shots and they won the playoff game in overtime.',
  'NASA wants to launch another probe into orbit around the moon.',
  'My motorcycle needs a new helmet and the bike makes a strange noise when I ride.',
];

const fileIn = (name) => fileURLToPath(new URL(`data/${name}`, import.meta.url));
const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;

/** The rows of a tensor `[N, T]` with the given numbers. */
function takeRows({ data, shape: [, width] }, rows) {
  const taken = new Int32Array(rows.length * width);
  rows.forEach((row, i) => {
    taken.set(data.subarray(row * width, (row + 1) * width), i * width);
  });
  return { data: taken, shape: [rows.length, width] };
}

const takeLabels = (labels, rows) => ({ data: Int32Array.from(rows, (row) => labels[row]), shape: [rows.length] });

/** For each row of a tensor `[N, C]` its most probable class and that probability. */
function mostProbable({ data, shape: [rows, classes] }) {
  return Array.from({ length: rows }, (_, row) => {
    const scores = data.subarray(row * classes, (row + 1) * classes);
    const probability = Math.max(...scores);
    return { label: scores.indexOf(probability), probability };
  });
}

/** The pairs of classes most often taken one for the other, the worst first. */
function worstPairs(predictions, labels, count) {
  const mistakes = new Map();
  predictions.forEach(({ label: said }, i) => {
    const is = labels[i];
    if (said === is) return;
    const key = `${is} ${said}`;
    mistakes.set(key, (mistakes.get(key) ?? 0) + 1);
  });
  return [...mistakes]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([key, times]) => [...key.split(' ').map(Number), times]);
}

const posts = await readDirectory(fileIn('20news-sample.tar.gz'));
const words = tokenizer({ numWords: NUM_WORDS });
words.fitOnTexts(posts.texts);
const encode = (texts) => padSequences(words.textsToSequences(texts), { maxLength: MAX_LENGTH });
const x = encode(posts.texts);
const numWords = Math.min(NUM_WORDS, words.wordIndex.size + 1);
const vectors = (await wordVectors(fileIn('vectors.100d.txt.gz'))).matrix(words.wordIndex, numWords);
const split = trainValidationSplit(posts.texts.length, { validationFraction: 0.2, seed: 1 });
console.log(
  `${posts.texts.length} posts of ${posts.classNames.length} groups: ` +
    `${split.train.length} to train on, ${split.validation.length} to validate`,
);

const convolution = () => [
  layers.conv1d({ filters: 128, kernelSize: 5, activation: 'relu' }),
  layers.maxPooling1d({ poolSize: 5 }),
  layers.dropout({ rate: 0.2 }),
];
const model = sequential(
  [
    layers.embedding({ inputDim: numWords, outputDim: 100, weights: vectors, trainable: false }),
    ...convolution(),
    ...convolution(),
    ...convolution(),
    layers.bidirectional(
      layers.lstm({
        units: 128,
        variant: 'LSTM3',
        activation: 'tanh',
        recurrentActivation: 'hardSigmoid',
        dropout: 0.2,
        recurrentDropout: 0.3,
      }),
    ),
    layers.dense({ units: 128, activation: 'relu' }),
    layers.dense({ units: posts.classNames.length, activation: 'softmax' }),
  ],
  { inputShape: [MAX_LENGTH], device: 'auto', seed: 1 },
);
model.compile({
  optimizer: optimizers.rmsprop({ learningRate: 2e-3 }),
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
});

const xTrain = takeRows(x, split.train);
const yTrain = takeLabels(posts.labels, split.train);
const xValidation = takeRows(x, split.validation);
const yValidation = takeLabels(posts.labels, split.validation);

const start = performance.now();
await model.fit(xTrain, yTrain, {
  epochs: EPOCHS,
  batchSize: 32,
  validationData: [xValidation, yValidation],
  verbose: 1,
});
const seconds = (performance.now() - start) / 1000;

const { accuracy } = await model.evaluate(xValidation, yValidation);
const postsRead = EPOCHS * (split.train.length + split.validation.length);
console.log(`\nValidation accuracy: ${percent(accuracy)} (guessing gives ${percent(1 / posts.classNames.length)})`);
console.log(`Speed: ${Math.round(postsRead / seconds)} posts/s, validation included (${seconds.toFixed(1)} s)`);

console.log('\nMost often taken for one another:');
const predictions = mostProbable(await model.predict(xValidation));
for (const [is, said, times] of worstPairs(predictions, yValidation.data, 5)) {
  console.log(`  ${posts.classNames[is]} taken for ${posts.classNames[said]}: ${times} times`);
}

console.log('\nThree sentences:');
mostProbable(await model.predict(encode(SENTENCES))).forEach(({ label, probability }, i) => {
  console.log(`  ${SENTENCES[i]}\n    ${posts.classNames[label]} (${percent(probability)})`);
});
model.dispose();
