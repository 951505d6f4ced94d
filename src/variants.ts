/**
 * The slim LSTM variants as data: which terms each of the four blocks of the cell keeps.
 *
 * With m = input size, n = units, s = the recurrent activation, g = the activation and (.) the elementwise product:
 *
 *     a_k  = x W_k + h U_k + b_k                   for the blocks k = i, f, c, o; a block may lack any of the terms,
 *                                                  and h U_k may be the diagonal form u_k (.) h
 *     c'   = f (.) c + i (.) g(a_c)                with i = s(a_i), f = s(a_f), o = s(a_o), or a constant each
 *     h'   = o (.) g(c')
 *
 * Sources: G. Kent and F. M. Salem, arXiv 1901.00525 (LSTM1, 2, 3); F. M. Salem, arXiv 1707.04619, 1707.04623,
 * 1707.04626 and the authors' Keras code of 2019 (LSTM4, 4a, 5, 5a, 6, 10, 11); A. Akandeh and F. M. Salem,
 * arXiv 1901.06401 (LSTM_C6, whose equation is inferred from the abstract).
 */

import { InvalidArgumentError } from './errors.js';
import { expectation } from './expectation.js';
import { nearestName } from './nearest-name.js';

/** How a block reads the previous state: not at all, through a full matrix `h U`, or unit by unit `u (.) h`. */
export type RecurrentTerm = 'none' | 'full' | 'diagonal';

/** The terms of a block's pre-activation. */
export interface GateTerms {
  /** Whether the block keeps the input product `x W`. */
  readonly input: boolean;
  readonly recurrent: RecurrentTerm;
  readonly bias: boolean;
}

/** A gate that is one number for ever; it does not pass through the recurrent activation. */
export interface ConstantGate {
  readonly constant: number;
}

export type Gate = GateTerms | ConstantGate;

/** A row of the table. Plain data: `JSON.stringify` writes it, {@link resolveVariant} reads it back and checks it. */
export interface Variant {
  readonly name: string;
  readonly input: Gate;
  readonly forget: Gate;
  readonly candidate: GateTerms;
  readonly output: Gate;
}

export type VariantName =
  | 'LSTM'
  | 'LSTM1'
  | 'LSTM2'
  | 'LSTM3'
  | 'LSTM4'
  | 'LSTM4a'
  | 'LSTM5'
  | 'LSTM5a'
  | 'LSTM6'
  | 'LSTM10'
  | 'LSTM11'
  | 'LSTM_C6';

/** The blocks of the cell, in the order in which packed weights hold them: i, f, c, o. */
export const blocks = ['input', 'forget', 'candidate', 'output'] as const;

export type Block = (typeof blocks)[number];

/** Something a weight array holds one block of. */
export type Term = 'input' | 'full' | 'diagonal' | 'bias';

export function isConstantGate(gate: Gate): gate is ConstantGate {
  return 'constant' in gate;
}

/** Whether the block keeps the term. A constant gate keeps none. */
export function hasTerm(gate: Gate, term: Term): boolean {
  if (isConstantGate(gate)) return false;
  switch (term) {
    case 'input':
      return gate.input;
    case 'bias':
      return gate.bias;
    default:
      return gate.recurrent === term;
  }
}

/** The blocks that keep the term, in packed order. */
export function blocksWith(variant: Variant, term: Term): Block[] {
  return blocks.filter((block) => hasTerm(variant[block], term));
}

function terms(input: boolean, recurrent: RecurrentTerm, bias: boolean): GateTerms {
  return Object.freeze({ input, recurrent, bias });
}

function constant(value: number): ConstantGate {
  return Object.freeze({ constant: value });
}

function row(name: string, input: Gate, forget: Gate, output: Gate, candidate: GateTerms): Variant {
  return Object.freeze({ name, input, forget, candidate, output });
}

const whole = terms(true, 'full', true);
const fullAndBias = terms(false, 'full', true);
const full = terms(false, 'full', false);
const bias = terms(false, 'none', true);
const diagonal = terms(false, 'diagonal', false);
const diagonalAndBias = terms(false, 'diagonal', true);
const diagonalCandidate = terms(true, 'diagonal', true);

// 0.96 and, for LSTM6, 0.4 are the forget constants of the authors' code; for LSTM6 0.59 is told of the paper. Other
// values are options: `withConstants('LSTM6', { forget: 0.59 })`.
const one = constant(1);
const slow = constant(0.96);
const fast = constant(0.4);

/** The published variants by name. */
export const variants: Readonly<Record<VariantName, Variant>> = Object.freeze({
  //                  name       i gate           f gate           o gate           candidate
  LSTM: row('LSTM', whole, whole, whole, whole),
  LSTM1: row('LSTM1', fullAndBias, fullAndBias, fullAndBias, whole),
  LSTM2: row('LSTM2', full, full, full, whole),
  LSTM3: row('LSTM3', bias, bias, bias, whole),
  LSTM4: row('LSTM4', diagonal, diagonal, diagonal, whole),
  LSTM4a: row('LSTM4a', diagonal, slow, one, whole),
  LSTM5: row('LSTM5', diagonalAndBias, diagonalAndBias, diagonalAndBias, whole),
  LSTM5a: row('LSTM5a', diagonalAndBias, slow, one, whole),
  LSTM6: row('LSTM6', one, fast, one, whole),
  LSTM10: row('LSTM10', diagonal, diagonal, diagonal, diagonalCandidate),
  LSTM11: row('LSTM11', diagonalAndBias, diagonalAndBias, diagonalAndBias, diagonalCandidate),
  LSTM_C6: row('LSTM_C6', one, fast, one, diagonalCandidate),
});

/** What {@link defineVariant} takes: terms that are left out are absent. */
export interface VariantDefinition {
  /** How summaries and saved models call it; `'custom'` unless given. The published names stand for the published terms. */
  readonly name?: string;
  readonly input: Partial<GateTerms> | ConstantGate;
  readonly forget: Partial<GateTerms> | ConstantGate;
  readonly candidate: Partial<GateTerms>;
  readonly output: Partial<GateTerms> | ConstantGate;
}

/**
 * A variant of one's own, checked and frozen.
 *
 * @throws InvalidArgumentError for a block that is missing, unknown terms, a block without any term, a candidate that
 *   is constant, a forget constant f with |f| >= 1 (the cell would grow without bound), a constant of 0 for the input
 *   or output gate (the layer would give 0 for ever), a variant that reads nothing of its input, and a published name
 *   on other terms than the published ones.
 */
export function defineVariant(definition: VariantDefinition): Variant {
  checkKeys(definition, ['name', ...blocks], 'variant');
  const name: unknown = definition.name ?? 'custom';
  if (typeof name !== 'string' || name.trim() === '') {
    throw new InvalidArgumentError(expectation('a non-empty string', 'name', name));
  }
  const variant = Object.freeze({
    name,
    input: checkGate(definition.input, 'input'),
    forget: checkGate(definition.forget, 'forget'),
    candidate: checkTerms(definition.candidate, 'candidate'),
    output: checkGate(definition.output, 'output'),
  });
  if (blocksWith(variant, 'input').length === 0) {
    throw new InvalidArgumentError(
      `Expected at least one block of variant ${name} to keep its input product, as in candidate: { input: true }`,
    );
  }
  const published = publishedVariant(name);
  if (published !== undefined && !sameTerms(published, variant)) {
    throw new InvalidArgumentError(
      `Expected another name than ${name}, which is a published variant with other terms than these`,
    );
  }
  return published ?? variant;
}

/**
 * The variant of that name, or the given variant once it is checked; what was read from JSON is taken too.
 *
 * @throws InvalidArgumentError for an unknown name (with the nearest one) and for all that {@link defineVariant} refuses.
 */
export function resolveVariant(nameOrVariant: string | VariantDefinition): Variant {
  if (typeof nameOrVariant !== 'string') {
    if (typeof nameOrVariant !== 'object' || nameOrVariant === null) {
      throw new InvalidArgumentError(expectation('the name of a variant or a variant', 'variant', nameOrVariant));
    }
    return defineVariant(nameOrVariant);
  }
  const variant = publishedVariant(nameOrVariant);
  if (variant !== undefined) return variant;
  const names = Object.keys(variants);
  const nearest = nearestName(nameOrVariant, names);
  throw new InvalidArgumentError(
    `${expectation(`one of ${names.join(', ')}`, 'variant', nameOrVariant)}; did you mean ${nearest}?`,
  );
}

/** The numbers of constant gates; what is left out stays as it is. */
export interface GateConstants {
  readonly input?: number;
  /** Between -1 and 1, both excluded. */
  readonly forget?: number;
  readonly output?: number;
}

const constantBlocks = ['input', 'forget', 'output'] as const;

/**
 * The variant with other numbers for its constant gates, which its name tells: `LSTM6 with forget 0.59`. Where they are
 * those that it has, it is the variant itself, so that a published name stands for the published numbers alone.
 *
 * @throws InvalidArgumentError for a gate that is no constant one in this variant, for the numbers that
 *   {@link defineVariant} refuses, and for all that {@link resolveVariant} refuses.
 */
export function withConstants(variant: string | VariantDefinition, constants: GateConstants): Variant {
  const row = resolveVariant(variant);
  checkKeys(constants, constantBlocks, 'constants');
  const changed: Partial<Record<(typeof constantBlocks)[number], ConstantGate>> = {};
  for (const block of constantBlocks) {
    const value = constants[block];
    const gate = row[block];
    if (value === undefined || (isConstantGate(gate) && gate.constant === value)) continue;
    if (!isConstantGate(gate)) throw noConstantGate(row, block);
    changed[block] = { constant: value };
  }
  const numbers = Object.entries(changed).map(([block, { constant }]) => `${block} ${constant}`);
  if (numbers.length === 0) return row;
  return defineVariant({ ...row, ...changed, name: `${row.name} with ${numbers.join(', ')}` });
}

function noConstantGate(variant: Variant, block: Block): InvalidArgumentError {
  const others = constantBlocks.filter((other) => isConstantGate(variant[other]));
  const has = others.length === 0 ? 'has no constant gate' : `has constants for ${others.join(' and ')} alone`;
  return new InvalidArgumentError(
    `Expected no constant for the ${block} gate of variant ${variant.name}, which ${has}`,
  );
}

function publishedVariant(name: string): Variant | undefined {
  return Object.hasOwn(variants, name) ? variants[name as VariantName] : undefined;
}

/** A weight array of a recurrent layer: its name and its shape. */
export interface WeightShape {
  readonly name: 'kernel' | 'recurrent_kernel' | 'recurrent_diagonal' | 'bias';
  readonly shape: readonly number[];
}

/**
 * The weight arrays of one direction in their order: `kernel [m, Gw·n]`, `recurrent_kernel [n, Gu·n]`,
 * `recurrent_diagonal [Gd, n]`, `bias [Gb·n]`. Each holds the blocks that keep the term, ordered i, f, c, o; an array
 * without a block is left out. The standard LSTM has exactly Keras' three arrays.
 *
 * @param inputSize m, the width of the input
 * @param units n, the width of the state
 * @throws InvalidArgumentError for sizes that are no positive integers, or whose arrays could not be addressed.
 */
export function weightShapes(variant: Variant, inputSize: number, units: number): WeightShape[] {
  checkSize(inputSize, 'inputSize');
  checkSize(units, 'units');
  const count = (term: Term) => blocksWith(variant, term).length;
  const arrays: WeightShape[] = [
    { name: 'kernel', shape: [inputSize, count('input') * units] },
    { name: 'recurrent_kernel', shape: [units, count('full') * units] },
    { name: 'recurrent_diagonal', shape: [count('diagonal'), units] },
    { name: 'bias', shape: [count('bias') * units] },
  ];
  const present = arrays.filter(({ shape }) => shape.every((dimension) => dimension > 0));
  const elements = present.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  if (!Number.isSafeInteger(elements * Float32Array.BYTES_PER_ELEMENT)) {
    throw new InvalidArgumentError(
      `Expected sizes whose weights can be addressed but received inputSize ${inputSize} and units ${units}`,
    );
  }
  return present;
}

function checkSize(value: unknown, name: string): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new InvalidArgumentError(expectation('a positive integer', name, value));
  }
}

function checkKeys(value: unknown, allowed: readonly string[], name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(expectation('an object', name, value));
  }
  for (const key of Object.keys(value)) {
    if (!allowed.includes(key)) {
      throw new InvalidArgumentError(
        `Expected ${allowed.join(', ')} in ${name} but received ${key}; did you mean ${nearestName(key, allowed)}?`,
      );
    }
  }
}

function checkGate(gate: unknown, block: Exclude<Block, 'candidate'>): Gate {
  if (typeof gate !== 'object' || gate === null || !('constant' in gate)) return checkTerms(gate, block);
  checkKeys(gate, ['constant'], block);
  const value = gate.constant;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new InvalidArgumentError(expectation('a finite number', `${block}.constant`, value));
  }
  if (block === 'forget' && Math.abs(value) >= 1) {
    throw new InvalidArgumentError(expectation('a number between -1 and 1 (both excluded)', 'forget.constant', value));
  }
  if (block !== 'forget' && value === 0) {
    throw new InvalidArgumentError(expectation('a number other than 0', `${block}.constant`, value));
  }
  return constant(value);
}

const recurrentTerms: readonly RecurrentTerm[] = ['none', 'full', 'diagonal'];

function checkTerms(given: unknown, block: Block): GateTerms {
  checkKeys(given, ['input', 'recurrent', 'bias'], block);
  const { input = false, recurrent = 'none', bias = false } = given as Record<string, unknown>;
  if (typeof input !== 'boolean') {
    throw new InvalidArgumentError(expectation('a boolean', `${block}.input`, input));
  }
  if (!recurrentTerms.includes(recurrent as RecurrentTerm)) {
    throw new InvalidArgumentError(expectation("'none', 'full' or 'diagonal'", `${block}.recurrent`, recurrent));
  }
  if (typeof bias !== 'boolean') {
    throw new InvalidArgumentError(expectation('a boolean', `${block}.bias`, bias));
  }
  if (!input && recurrent === 'none' && !bias) {
    const remedy = block === 'candidate' ? '' : '; a gate without terms is written { constant: 1 }';
    throw new InvalidArgumentError(`${expectation('at least one term', block, given)}${remedy}`);
  }
  return terms(input, recurrent as RecurrentTerm, bias);
}

function sameTerms(a: Variant, b: Variant): boolean {
  return blocks.every((block) => sameGate(a[block], b[block]));
}

function sameGate(a: Gate, b: Gate): boolean {
  if (isConstantGate(a) || isConstantGate(b)) {
    return isConstantGate(a) && isConstantGate(b) && a.constant === b.constant;
  }
  return a.input === b.input && a.recurrent === b.recurrent && a.bias === b.bias;
}
