import { describe } from 'vitest';
import { compareWithOracle } from './network.js';

// PyTorch in float64, `test/oracle/cases.py`.
describe('the recurrence, every combination of its options', () => compareWithOracle('recurrence-grid'));
describe('the recurrence, odd shapes', () => compareWithOracle('recurrence-shapes'));
describe('the recurrence, all variants', () => compareWithOracle('recurrence-family'));
describe('the recurrence behind an embedding', () => compareWithOracle('recurrence-embedded'));
describe('bidirectional', () => compareWithOracle('bidirectional'));
