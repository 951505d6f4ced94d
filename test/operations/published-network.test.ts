import { describe } from 'vitest';
import { compareWithOracle } from './network.js';

// Loosened: of a quarter of a million arguments of relu some lie within rounding of 0, where the derivative jumps.
const tolerance = 1e-4;

// PyTorch in float64, `test/oracle/layer_cases.py`: sequences of 1000 tokens, 128 filters, 128 units, all dropout on.
describe('the network of Kent and Salem at its size', () => compareWithOracle('published-network', { tolerance }));
