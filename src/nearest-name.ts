/** The suggestion behind "unknown name" errors: which of the known names the caller most likely meant. */

/** The name that takes the fewest single-character edits, upper and lower case alike; the first of equals. `names` is not empty. */
export function nearestName(wanted: string, names: readonly string[]): string {
  let nearest = names[0] ?? '';
  let fewest = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const edits = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      nearest = name;
    }
  }
  return nearest;
}

// No known name is anywhere near this long, so what follows cannot change which one is nearest.
const LONGEST = 100;

/** Levenshtein's distance, one row of the table at a time. */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, LONGEST);
  let row = Array.from({ length: right.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substituted = (row[j - 1] as number) + (a[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[right.length] as number;
}
