/** Speeds of variants as lines for a terminal. */

import type { ComparedPass, ComparedVariant } from '../timing/comparison.js';
import { type Column, tableLines } from './columns.js';

/** What the columns mean. */
export const speedLegend = [
  'FLOP: of the matrix products, two for each multiply-add, done without shortcuts; elementwise work is not counted.',
  'ms: median; spread: half the distance between the quartiles; x LSTM: how many times faster than LSTM;',
  'saving: that divided by how many times fewer FLOP the variant has, so 1 where all that is promised comes true.',
];

/** Tables of layers, one for each pass, under a title that ends in the pass. */
export function layerSpeedLines(title: string, variants: readonly ComparedVariant[]): string[] {
  return [
    `${title}: forward`,
    ...speedLines(variants, ({ forward, training }) => forward ?? training),
    '',
    `${title}: forward + backward`,
    ...speedLines(variants, ({ training }) => training),
  ];
}

/** A table of networks in training. */
export function networkSpeedLines(title: string, variants: readonly ComparedVariant[]): string[] {
  const rate: Column<ComparedVariant> = {
    title: 'samples/s',
    text: ({ samplesPerSecond }) => Math.round(samplesPerSecond).toLocaleString('en'),
  };
  return [`${title}: training step`, ...speedLines(variants, ({ training }) => training, [rate])];
}

function speedLines(
  variants: readonly ComparedVariant[],
  pass: (variant: ComparedVariant) => ComparedPass,
  more: readonly Column<ComparedVariant>[] = [],
): string[] {
  const columns: Column<ComparedVariant>[] = [
    { title: '', text: ({ name }) => name, align: 'left' },
    { title: 'parameters', text: ({ parameters }) => parameters.toLocaleString('en') },
    { title: 'FLOP', text: (variant) => flopText(pass(variant).flops) },
    { title: 'ms', text: (variant) => threeDigits(pass(variant).median) },
    { title: 'spread', text: (variant) => spreadText(pass(variant)) },
    { title: 'GFLOP/s', text: (variant) => pass(variant).gflops.toFixed(1) },
    ...more,
    { title: 'x LSTM', text: (variant) => pass(variant).speedup.toFixed(2) },
    { title: 'saving', text: (variant) => pass(variant).saving.toFixed(2) },
  ];
  return tableLines(variants, columns);
}

function spreadText(pass: ComparedPass): string {
  return `±${(100 * spread(pass)).toFixed(1)} %`;
}

/** Half the distance between the quartiles, as a part of the median. */
function spread({ median, lowerQuartile, upperQuartile }: ComparedPass): number {
  return (upperQuartile - lowerQuartile) / 2 / median;
}

// On an idle machine passes of a millisecond or more spread by a few percent at the most.
const STEADY = 0.1;

/** A warning where times spread so much that their medians say little; null where they do not. */
export function unsteadyWarning(variants: readonly ComparedVariant[]): string | null {
  const passes = variants.flatMap(({ forward, training }) =>
    forward === undefined ? [training] : [forward, training],
  );
  const worst = Math.max(...passes.map(spread));
  if (!(worst > STEADY)) return null;
  return `Times spread by up to ±${Math.round(100 * worst)} %: other programs had the machine too, so these are no measure.`;
}

/** Such as `2.15 G`. */
function flopText(flops: number): string {
  const units = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
  let [scaled, unit] = [flops, 0];
  for (; scaled >= 999.5 && unit < units.length - 1; unit++) scaled /= 1000;
  return `${threeDigits(scaled)} ${units[unit]}`.trimEnd();
}

/** 1234, 123, 12.3, 1.23, 0.123, 0.012. */
function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value >= 99.95) return value.toFixed(0);
  return value.toFixed(value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3);
}
