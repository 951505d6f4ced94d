import { describe } from 'vitest';
import { compareWithOracle } from './network.js';

// The loss is a mean over all rows given, so that its gradient does not depend on how they are cut into batches: the last
// one is smaller than the others here. Random masks do depend on it.
const only = ({ training, batch }: { training: boolean; batch: number }) => !training && batch > 2;

describe('in batches of two, outputs, losses and gradients are those of the whole', () => {
  compareWithOracle('recurrence-embedded', { batchSize: 2, only });
  compareWithOracle('losses', { batchSize: 2, only });
  compareWithOracle('bidirectional', { batchSize: 2, only });
});

describe('in batches of one', () => {
  compareWithOracle('stacks', { batchSize: 1, only });
  compareWithOracle('simple-layers', { batchSize: 1, only });
});

describe('in one batch larger than the data', () => {
  compareWithOracle('convolution', { batchSize: 64, only });
});
