/** What is told of repeated measurements. */

/** The middle of the values; of an even number of them the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The arithmetic mean of one value or more. */
export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Median, least, largest and number of the values, to four significant digits. */
export function summary(values) {
  const digits = (value) => Number(value.toPrecision(4));
  return {
    median: digits(median(values)),
    least: digits(Math.min(...values)),
    largest: digits(Math.max(...values)),
    runs: values.length,
  };
}
