/** The table that `summary()` prints, in Keras' look, with the multiply-adds of each layer for one sample. */

import type { Precision } from '../precision.js';
import type { Architecture, PlacedLayer } from './architecture.js';

export interface SummaryOptions {
  /** Takes the text, line by line. Default: standard output. */
  readonly print?: (line: string) => void;
}

const kindNames: Readonly<Record<PlacedLayer['layer']['kind'], string>> = {
  embedding: 'Embedding',
  conv1d: 'Conv1D',
  maxPooling1d: 'MaxPooling1D',
  globalMaxPooling1d: 'GlobalMaxPooling1D',
  dropout: 'Dropout',
  spatialDropout1d: 'SpatialDropout1D',
  lstm: 'LSTM',
  bidirectional: 'Bidirectional',
  dense: 'Dense',
  activation: 'Activation',
  flatten: 'Flatten',
};

type Row = readonly [layer: string, output: string, parameters: string, macs: string];

const header: Row = ['Layer (type)', 'Output Shape', 'Param #', 'MACs / sample'];

export function summary(architecture: Architecture, device: string, precision: Precision): string {
  const { layers } = architecture;
  const rows = layers.map((placed): Row => {
    const { spec, output, macs } = placed.built;
    return [
      `${placed.name} (${kindName(placed)})`,
      `(None, ${output.shape.join(', ')})`,
      count(elementsOf(spec.parameters)),
      count(macs),
    ];
  });
  const parameters = layers.flatMap(({ built }) => built.spec.parameters);
  const trainable = elementsOf(parameters.filter((parameter) => parameter.trainable));
  const total = elementsOf(parameters);
  const macs = layers.reduce((sum, { built }) => sum + built.macs, 0);
  return [
    ...table(rows),
    ` Total params: ${count(total)} (${bytes(total)})`,
    ` Trainable params: ${count(trainable)} (${bytes(trainable)})`,
    ` Non-trainable params: ${count(total - trainable)} (${bytes(total - trainable)})`,
    ` MACs per sample, forward: ${count(macs)}`,
    ` Device: ${device}`,
    ...(precision === 'float32' ? [] : [` Precision on a GPU: ${precision}`]),
  ].join('\n');
}

/** With the variant of a recurrent layer, where it is another than the standard one: `LSTM: LSTM3`. */
function kindName({ layer }: PlacedLayer): string {
  const name = kindNames[layer.kind];
  const config = layer.config as { variant?: unknown; layer?: { variant?: unknown } };
  const variant = config.variant ?? config.layer?.variant;
  if (variant === undefined) return name;
  return `${name}: ${typeof variant === 'string' ? variant : (variant as { name: string }).name}`;
}

function elementsOf(parameters: readonly { readonly shape: readonly number[] }[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function bytes(parameters: number): string {
  const size = parameters * Float32Array.BYTES_PER_ELEMENT;
  if (size < 1024) return `${size} B`;
  const units = ['KB', 'MB', 'GB'] as const;
  let scaled = size / 1024;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled.toFixed(2)} ${units[unit]}`;
}

function table(rows: readonly Row[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const frame = (left: string, line: string, cross: string, right: string) =>
    left + widths.map((width) => line.repeat(width + 2)).join(cross) + right;
  const cells = (row: Row, edge: string) => {
    const padded = row.map((cell, column) => {
      const width = widths[column] as number;
      return ` ${column < 2 ? cell.padEnd(width) : cell.padStart(width)} `;
    });
    return edge + padded.join(edge) + edge;
  };
  const lines = [frame('┏', '━', '┳', '┓'), cells(header, '┃'), frame('┡', '━', '╇', '┩')];
  rows.forEach((row, i) => {
    if (i > 0) lines.push(frame('├', '─', '┼', '┤'));
    lines.push(cells(row, '│'));
  });
  lines.push(frame('└', '─', '┴', '┘'));
  return lines;
}
