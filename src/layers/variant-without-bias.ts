import { InvalidArgumentError } from '../errors.js';
import { blocks, defineVariant, type Gate, hasTerm, isConstantGate, type Variant } from '../variants.js';

/**
 * The variant with `useBias: false`: the same terms but for the biases.
 *
 * @throws InvalidArgumentError where a gate has nothing but its bias, as those of LSTM3.
 */
export function withoutBias(variant: Variant): Variant {
  const empty = blocks.find((block) => {
    const gate = variant[block];
    return hasTerm(gate, 'bias') && !hasTerm(gate, 'input') && !hasTerm(gate, 'full') && !hasTerm(gate, 'diagonal');
  });
  if (empty !== undefined) {
    throw new InvalidArgumentError(
      `Expected useBias true for variant ${variant.name}, whose ${empty} gate has no other term than its bias`,
    );
  }
  const strip = <G extends Gate>(gate: G): G => (isConstantGate(gate) ? gate : { ...gate, bias: false });
  const { input, forget, candidate, output } = variant;
  return defineVariant({
    name: `${variant.name} without bias`,
    input: strip(input),
    forget: strip(forget),
    candidate: strip(candidate),
    output: strip(output),
  });
}
