import { expect } from 'vitest';

/** Number by number, to so many digits behind the point. */
export function expectClose(
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number> | undefined,
  digits: number,
): void {
  expect(actual).toHaveLength(expected?.length ?? -1);
  for (let i = 0; i < (expected?.length ?? 0); i++) expect(actual?.[i]).toBeCloseTo(expected?.[i] as number, digits);
}
