import { describe } from 'vitest';
import { compareWithOracle } from './network.js';

// PyTorch in float64, `test/oracle/layer_cases.py`.
describe('conv1d', () => compareWithOracle('convolution'));
describe('pooling', () => compareWithOracle('pooling'));
describe('embedding, dense, activation, flatten, dropout', () => compareWithOracle('simple-layers'));
describe('stacks of layers', () => compareWithOracle('stacks'));
