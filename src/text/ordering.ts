/**
 * Python's order of strings, by code point, sorted in place. JavaScript's own, by UTF-16 unit, differs only where
 * surrogates (U+10000 and above) meet U+E000 to U+FFFF.
 */
export function sortByCodePoint(strings: string[]): string[] {
  return strings.some(hasSurrogate) ? strings.sort(compareCodePoints) : strings.sort();
}

function hasSurrogate(text: string): boolean {
  return /[\ud800-\udfff]/.test(text);
}

function compareCodePoints(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let i = 0; i < shorter; i++) {
    const difference = rank(left.charCodeAt(i)) - rank(right.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** A UTF-16 unit, surrogates moved above all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
