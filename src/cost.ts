/** What a variant costs: parameters, and operations for one time step of one sequence in one direction. */

import { InvalidArgumentError } from './errors.js';
import { expectation } from './expectation.js';
import {
  blocksWith,
  type Gate,
  hasTerm,
  isConstantGate,
  resolveVariant,
  type Variant,
  type VariantDefinition,
  weightShapes,
} from './variants.js';

export interface LayerSize {
  /** m, the width of the input. */
  readonly inputSize: number;
  /** n, the width of the state. */
  readonly units: number;
}

/** Bidirectional layers cost twice these. */
export interface Cost {
  /** Trainable numbers. */
  readonly parameters: number;
  /** Multiply-adds of `x W`; they do not depend on the state, so all time steps share one matrix product. */
  readonly inputMacs: number;
  /** Multiply-adds of the full products `h U`, which run one step after the other. */
  readonly recurrentMacs: number;
  /** All else: the sum of {@link elementwiseCost}. */
  readonly elementwise: number;
}

/** The operations of one time step that touch each unit by itself. */
export interface ElementwiseCost {
  /** Products of the diagonal terms `u (.) h`. */
  readonly diagonal: number;
  /** Products `f (.) c`, `i (.) g(a_c)`, `o (.) g(c)`; none for a constant of 1, nor for a forget constant of 0. */
  readonly state: number;
  /** Evaluations of the recurrent activation. A gate with a bias alone has none: it changes once an update, not once a step. */
  readonly recurrentActivation: number;
  /** Evaluations of the activation: of the candidate and of the cell state. */
  readonly activation: number;
}

/**
 * The cost of a variant, computed from its row.
 *
 * @throws InvalidArgumentError for an unknown variant and for sizes that are no positive integers.
 */
export function cost(variant: string | VariantDefinition, size: LayerSize): Cost {
  const row = resolveVariant(variant);
  if (typeof size !== 'object' || size === null) {
    throw new InvalidArgumentError(expectation('an object { inputSize, units }', 'size', size));
  }
  const { inputSize, units } = size;
  const parameters = weightShapes(row, inputSize, units).reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
  const { diagonal, state, recurrentActivation, activation } = elementwiseCost(row, units);
  return {
    parameters,
    inputMacs: blocksWith(row, 'input').length * inputSize * units,
    recurrentMacs: blocksWith(row, 'full').length * units * units,
    elementwise: diagonal + state + recurrentActivation + activation,
  };
}

/** The parts of {@link Cost.elementwise}. */
export function elementwiseCost(variant: Variant, units: number): ElementwiseCost {
  const { input, forget, output } = variant;
  const gates = [input, forget, output];
  const state = [!isConstant(input, 1), !isConstant(forget, 0), !isConstant(output, 1)];
  return {
    diagonal: blocksWith(variant, 'diagonal').length * units,
    state: state.filter(Boolean).length * units,
    recurrentActivation: gates.filter(changesWithTime).length * units,
    activation: 2 * units,
  };
}

function isConstant(gate: Gate, value: number): boolean {
  return isConstantGate(gate) && gate.constant === value;
}

function changesWithTime(gate: Gate): boolean {
  return hasTerm(gate, 'input') || hasTerm(gate, 'full') || hasTerm(gate, 'diagonal');
}
