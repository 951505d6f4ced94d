/**
 * Trains the network of Kent & Salem 2019 with LSTM3, the slim LSTM whose gates are biases alone, on a sample of 20
 * Newsgroups, and classifies three sentences. `npm run demo` builds what it needs and runs this.
 */

import { fileURLToPath } from 'node:url';
import {
  confusionMatrix,
  layers,
  mostProbableClasses,
  optimizers,
  padSequences,
  readDirectory,
  sequential,
  takeRows,
  tokenizer,
  trainValidationSplit,
  wordVectors,
  worstConfusions,
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

const y = { data: posts.labels, shape: [posts.labels.length] };
const xTrain = takeRows(x, split.train);
const yTrain = takeRows(y, split.train);
const xValidation = takeRows(x, split.validation);
const yValidation = takeRows(y, split.validation);

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

const groups = posts.classNames;
console.log('\nMost often taken for one another:');
const predicted = mostProbableClasses((await model.predict(xValidation)).data, groups.length);
const confusions = worstConfusions(confusionMatrix(yValidation.data, predicted, groups.length), 5);
for (const { actual, predicted: said, count } of confusions) {
  console.log(`  ${groups[actual]} taken for ${groups[said]}: ${count} times`);
}

console.log('\nThree sentences:');
const scores = (await model.predict(encode(SENTENCES))).data;
mostProbableClasses(scores, groups.length).forEach((label, i) => {
  console.log(`  ${SENTENCES[i]}\n    ${groups[label]} (${percent(scores[i * groups.length + label])})`);
});
model.dispose();
