import { describe } from 'vitest';
import { compareWithOracle } from './network.js';

// PyTorch in float64, `test/oracle/layer_cases.py`.
describe('losses and their gradients', () => compareWithOracle('losses'));
