import { InvalidArgumentError } from '../errors.js';
import { expectation } from '../expectation.js';

/** @throws the signal's reason where it has aborted already. */
export function checkedSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof AbortSignal)) throw new InvalidArgumentError(expectation('an AbortSignal', 'signal', value));
  value.throwIfAborted();
  return value;
}
