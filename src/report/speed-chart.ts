/** A picture of what variants save: the time each takes beside the operations it has, both as parts of LSTM's. */

import type { ComparedVariant } from '../timing/comparison.js';
import { boxElement, textElement, textWidth, xmlText } from './svg.js';

export interface SpeedChart {
  readonly title: string;
  /** Lines under the title: machine, device, date. */
  readonly notes: readonly string[];
  /** What was timed, such as `time of forward + backward`. */
  readonly time: string;
  readonly panels: readonly {
    /** Such as `T 128, B 64, m 128, n 128`. */
    readonly title: string;
    readonly variants: readonly ComparedVariant[];
  }[];
}

const MARGIN = 24;
const TITLE_SIZE = 18;
const TEXT_SIZE = 12;
const LINE = 18;
const BAR = 10;
/** Between the two bars of a variant. */
const BAR_GAP = 2;
const ROW = 2 * BAR + BAR_GAP + 10;
/** Width of LSTM's bar and more; a picture of few panels has room for wider ones. */
const PLOT = 220;
/** Of LSTM's bar, how long others may become: one that met with a pause must not flatten all others. */
const LONGEST_PART = 3;
/** The cut through a bar that is longer. */
const CUT = 4;
/** Room behind the longest bar for its number. */
const NUMBER = 44;
const PANEL_GAP = 28;
const PANELS_A_LINE = 3;
const PANEL_HEAD = 40;
const PANEL_FOOT = 30;
/** From a colour of the legend to its text's begin. */
const KEY = 20;

const style = `
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2933 }
.page { fill: #ffffff }
.title { font-size: ${TITLE_SIZE}px; font-weight: 600 }
.note, .axis { font-size: ${TEXT_SIZE - 1}px; fill: #52606d }
.axis { text-anchor: middle }
.head { font-size: ${TEXT_SIZE + 1}px; font-weight: 600 }
.key { font-size: ${TEXT_SIZE}px }
.name { font-size: ${TEXT_SIZE}px; text-anchor: end }
.number { font-size: ${TEXT_SIZE - 2}px; stroke: #ffffff; stroke-width: 3px; paint-order: stroke }
.grid { fill: #d9e2ec }
.base { fill: #829ab1 }
.time { fill: #0f6cbd }
.flops { fill: #f0a35e }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7eb }
  .page { fill: #14181d }
  .number { stroke: #14181d }
  .note, .axis { fill: #9aa5b1 }
  .grid { fill: #2b333c }
  .base { fill: #627d98 }
  .time { fill: #4aa3f0 }
  .flops { fill: #c9803d }
}
`;

/** The picture as a whole file: SVG without scripts or anything from elsewhere. */
export function speedChart(chart: SpeedChart): string {
  const names = chart.panels.flatMap(({ variants }) => variants.map(({ name }) => shortened(name)));
  const label = Math.max(...names.map((name) => textWidth(name, TEXT_SIZE)), 0) + 8;
  const columns = Math.min(PANELS_A_LINE, chart.panels.length);
  const gaps = (columns - 1) * PANEL_GAP;
  const inner = Math.max(columns * (label + PLOT + NUMBER) + gaps, headWidth(chart, label));
  const panel = (inner - gaps) / columns;
  const width = 2 * MARGIN + inner;
  const scale = largestPart(chart);

  const parts: string[] = [textElement({ x: MARGIN, y: MARGIN + TITLE_SIZE, class: 'title' }, chart.title)];
  let y = MARGIN + TITLE_SIZE + 6;
  for (const note of chart.notes) {
    y += LINE - 2;
    parts.push(textElement({ x: MARGIN, y, class: 'note' }, note));
  }
  y += 1.5 * LINE;
  parts.push(...legend(chart.time, y));
  y += 2.5 * LINE;
  for (let first = 0; first < chart.panels.length; first += columns) {
    const line = chart.panels.slice(first, first + columns);
    line.forEach(({ title, variants }, i) => {
      const left = MARGIN + i * (panel + PANEL_GAP) + label;
      parts.push(...panelParts(title, variants, { left, top: y, width: panel - label - NUMBER, scale }));
    });
    const rows = Math.max(...line.map(({ variants }) => variants.length));
    y += PANEL_HEAD + rows * ROW + PANEL_FOOT;
  }
  const size = `${Math.ceil(width)} ${Math.ceil(y)}`;
  const [across, down] = size.split(' ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${across}" height="${down}" viewBox="0 0 ${size}" role="img">`,
    `<title>${xmlText(chart.title)}</title>`,
    `<style>${style}</style>`,
    `<rect width="100%" height="100%" class="page"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function headWidth({ title, notes, time, panels }: SpeedChart, label: number): number {
  return Math.max(
    textWidth(title, TITLE_SIZE),
    ...notes.map((note) => textWidth(note, TEXT_SIZE - 1)),
    ...legendTexts(time).map((text) => KEY + textWidth(text, TEXT_SIZE)),
    ...panels.map((panel) => label + textWidth(panel.title, TEXT_SIZE + 1)),
  );
}

/** What the axes reach to; a variant may well be slower than LSTM. */
function largestPart({ panels }: SpeedChart): number {
  const parts = panels.flatMap(({ variants }) => variants.flatMap((variant) => Object.values(partsOf(variant))));
  return Math.min(LONGEST_PART, Math.max(1, ...parts.filter(Number.isFinite)));
}

/** Of LSTM's time and operations. */
function partsOf({ training }: ComparedVariant): { time: number; flops: number } {
  return { time: 1 / training.speedup, flops: training.saving / training.speedup };
}

function legendTexts(time: string): [string, string] {
  return [`${time} (LSTM = 100 %)`, 'FLOPs of the matrix products (LSTM = 100 %)'];
}

function legend(time: string, y: number): string[] {
  const [first, second] = legendTexts(time);
  return [
    boxElement({ x: MARGIN, y: y - BAR, width: 14, height: BAR, class: 'time' }),
    textElement({ x: MARGIN + KEY, y, class: 'key' }, first),
    boxElement({ x: MARGIN, y: y + LINE - BAR, width: 14, height: BAR, class: 'flops' }),
    textElement({ x: MARGIN + KEY, y: y + LINE, class: 'key' }, second),
  ];
}

interface Plot {
  /** Where bars begin. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  /** The part of LSTM's time that `width` stands for. */
  readonly scale: number;
}

function panelParts(title: string, variants: readonly ComparedVariant[], plot: Plot): string[] {
  const { left, scale } = plot;
  const top = plot.top + PANEL_HEAD;
  const bottom = top + variants.length * ROW;
  const at = (part: number) => left + (plot.width * part) / scale;
  const step = scale > 2 ? 1 : scale > 1.25 ? 0.5 : 0.25;
  const parts = [textElement({ x: left, y: plot.top + 12, class: 'head' }, title)];
  for (let mark = 0; mark <= scale + 1e-9; mark += step) {
    parts.push(boxElement({ x: at(mark) - 0.5, y: top - 6, width: 1, height: bottom - top + 6, class: 'grid' }));
    parts.push(textElement({ x: at(mark), y: top - 10, class: 'axis' }, `${Math.round(100 * mark)} %`));
  }
  parts.push(boxElement({ x: at(1) - 0.75, y: top - 6, width: 1.5, height: bottom - top + 6, class: 'base' }));
  variants.forEach((variant, i) => {
    const { time, flops } = partsOf(variant);
    const rowTop = top + i * ROW + 4;
    const bar = (part: number, place: number, kind: 'time' | 'flops', meaning: string) => {
      const width = Number.isFinite(part) ? at(Math.min(part, scale)) - left : 0;
      const name = `${variant.name}: ${percent(part)} of LSTM's ${meaning}`;
      parts.push(boxElement({ x: left, y: place, width, height: BAR, class: kind }, name));
      if (part > scale)
        parts.push(boxElement({ x: at(scale) - 4 * CUT, y: place, width: CUT, height: BAR, class: 'page' }));
      parts.push(textElement({ x: left + width + 5, y: place + BAR - 1.5, class: 'number' }, percent(part)));
    };
    parts.push(textElement({ x: left - 8, y: rowTop + BAR + 5, class: 'name' }, shortened(variant.name)));
    bar(time, rowTop, 'time', 'time');
    bar(flops, rowTop + BAR + BAR_GAP, 'flops', 'FLOPs');
  });
  return parts;
}

function percent(part: number): string {
  return Number.isFinite(part) ? `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %` : 'none';
}

const LONGEST_NAME = 24;

function shortened(name: string): string {
  const characters = [...name];
  return characters.length > LONGEST_NAME ? `${characters.slice(0, LONGEST_NAME - 1).join('')}…` : name;
}
