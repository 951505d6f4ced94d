/** What bench/gpu.mjs measured, as Markdown. */

import { family } from '../instrument/family.mjs';
import { median } from '../instrument/statistics.mjs';
import { layerGoal, SHAPES, shapeName, TABLE } from './goals.mjs';

/** The cases of a comparison that PyTorch's default stands for. */
const PEER = 'tf32';

export function gpuTables({ gpu, machine, date, sections, problems = [] }) {
  const versions = Object.values(sections)
    .flatMap(({ torch = [] }) => torch)
    .find((line) => line.torch !== undefined);
  const peer = versions && `; PyTorch ${versions.torch}, cuDNN ${versions.cudnn}, CUDA ${versions.cuda}`;
  const tables = Object.entries(sections).flatMap(([name, section]) => TABLES[name](section));
  const told = problems.length === 0 ? [] : ['What went wrong:', problems.map((problem) => `- ${problem}`).join('\n')];
  return [`${gpu}, ${machine.cores} cores of an ${machine.processor}, ${date}${peer ?? ''}.`, ...tables, ...told].join(
    '\n\n',
  );
}

const TABLES = {
  layer: layerTables,
  network: networkTables,
  lengths: lengthTables,
  kernels: kernelTables,
  implementations: implementationTables,
};

const sameShape = (shape) => (line) => line.shape?.units === shape.units && line.shape?.steps === shape.steps;
const microseconds = (milliseconds, steps) => ((1000 * milliseconds) / steps).toFixed(2);
const three = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** A line for each combination of what they have under those names. */
function distinct(lines, ...names) {
  return [...new Map(lines.map((line) => [names.map((name) => line[name]).join(), line])).values()];
}

/** Medians of a line; of lines told twice the faster ones. */
function medians(lines) {
  const of = (pass) => Math.min(...lines.filter((line) => line[pass]?.length > 0).map((line) => median(line[pass])));
  return { forward: of('forward'), training: of('training') };
}

function layerTables({ ours, torch }) {
  return SHAPES.flatMap((shape) => {
    const here = ours.filter(sameShape(shape));
    const peers = torch.filter(sameShape(shape));
    if (here.length === 0 && peers.length === 0) return [];
    const peerAt = (precision) => medians(peers.filter((line) => line.precision === precision));
    const base = peerAt(PEER);
    const half = peerAt('fp16');
    const times = ({ forward, training }) => [
      three(forward),
      microseconds(forward, shape.steps),
      three(training),
      microseconds(training - forward, shape.steps),
    ];
    const peerRows = ['tf32', 'fp32', 'fp16'].map((precision) => [
      'PyTorch',
      precision,
      ...times(peerAt(precision)),
      (base.training / peerAt(precision).training).toFixed(2),
      ...[
        '',
        '',
        (half.training / peerAt(precision).training).toFixed(2),
        (base.forward / peerAt(precision).forward).toFixed(2),
        '',
      ],
    ]);
    return [
      `**Layer, ${shapeName(shape)}**`,
      markdown(LAYER_HEAD, [...peerRows, ...here.map((line) => ourRow(line, here, shape, base, half, times))]),
    ];
  });
}

const LAYER_HEAD = [
  '',
  'precision',
  'forward ms',
  'µs a step',
  'forward + backward ms',
  'backward µs a step',
  'times nn.LSTM',
  'goal',
  'reached',
  'times its fp16',
  'times forward',
  'realised saving',
];

function ourRow(line, here, shape, base, half, times) {
  if (line.error !== undefined) return [line.variant, line.precision, line.error];
  const own = medians([line]);
  const score = base.training / own.training;
  const goal = layerGoal(line.variant, shape.units);
  return [
    line.variant,
    line.precision,
    ...times(own),
    score.toFixed(2),
    goal,
    Number.isFinite(score) ? (score >= goal ? 'yes' : 'no') : '',
    (half.training / own.training).toFixed(2),
    (base.forward / own.forward).toFixed(2),
    saving(line, here),
  ];
}

/**
 * (time of LSTM / time) / (FLOPs of LSTM / FLOPs) in the same precision, forward and backward; scans have no product in a
 * step to save.
 */
function saving(line, here) {
  const standard = here.find(
    ({ variant, precision, error }) => variant === 'LSTM' && precision === line.precision && error === undefined,
  );
  if (standard === undefined || ['standard', 'scan'].includes(family(line.variant))) return '';
  const faster = median(standard.training) / median(line.training);
  return (faster / (standard.flops.training / line.flops.training)).toFixed(2);
}

function networkTables({ ours, together, torch, epoch, batch }) {
  const steps = Math.ceil(epoch.posts / batch);
  const rows = [...torch.filter(({ precision }) => precision), ...ours].map((line) => {
    const name = [line.variant ?? 'PyTorch (LSTM without recurrent dropout)', line.precision];
    if (line.error !== undefined) return [...name, line.error];
    const step = median(line.training);
    const seconds = (steps * step) / 1000;
    const reached = line.variant === undefined ? '' : seconds <= epoch.seconds ? 'yes' : 'no';
    return [...name, three(step), three(seconds), line.variant === undefined ? '' : `≤ ${epoch.seconds}`, reached];
  });
  return [
    '**Training step of the network of Kent & Salem**',
    markdown(['', 'precision', 'ms a step', 's an epoch of steps', 'goal', 'reached'], rows),
    `**${TABLE.runs} runs of ${TABLE.epochs} epochs, several networks at once (validation left out)**`,
    markdown(
      ['networks at once', 'precision', 'posts/s', 'minutes', 'goal', 'reached'],
      together.map((line) => togetherRow(line, epoch)),
    ),
  ];
}

function togetherRow({ variant, precision, together, postsPerSecond, error }, { posts }) {
  const name = [`${together} (${variant})`, precision];
  if (error !== undefined) return [...name, error];
  const minutes = (TABLE.runs * TABLE.epochs * posts) / postsPerSecond / 60;
  const reached = minutes <= TABLE.minutes ? 'yes' : 'no';
  return [...name, Math.round(postsPerSecond).toLocaleString('en'), three(minutes), `≤ ${TABLE.minutes}`, reached];
}

function lengthTables({ ours, torch, trueTokens }) {
  const peers = torch.filter(({ precision }) => precision).map((line) => ({ variant: 'PyTorch', ...line }));
  const all = [...peers, ...ours];
  const rows = distinct(all, 'variant', 'precision').map(({ variant, precision }) => {
    const name = [variant, precision];
    const lines = all.filter((line) => line.variant === variant && line.precision === precision);
    const problem = lines.find(({ error }) => error !== undefined);
    if (problem !== undefined) return [...name, problem.error];
    const full = medians(lines.filter(({ padded }) => padded === false)).training;
    const padded = medians(lines.filter((line) => line.padded === true)).training;
    return [...name, three(full), three(padded), `${Math.round((100 * padded) / full)} %`];
  });
  return [
    `**Embedding and layer on sequences of different lengths: ${Math.round(100 * trueTokens)} % of the positions are true tokens**`,
    markdown(['', 'precision', 'ms, all positions', 'ms, true tokens', 'of the time'], rows),
  ];
}

function kernelTables({ ours }) {
  const variants = [...new Set(ours.map(({ variant }) => variant))];
  const kernels = distinct(ours, 'kernel', 'precision');
  const cell = (lines) => {
    if (lines.length === 0) return '';
    const [line] = lines;
    if (line.error !== undefined) return line.error.replace(/^.*: /, '');
    const { forward, training } = medians(lines);
    return `${three(forward)} + ${three(training - forward)}`;
  };
  return SHAPES.flatMap((shape) => {
    const here = ours.filter(sameShape(shape));
    const rows = kernels.map(({ kernel, precision }) => {
      const lines = here.filter((line) => line.kernel === kernel && line.precision === precision);
      return [kernel, precision, ...variants.map((name) => cell(lines.filter(({ variant }) => variant === name)))];
    });
    return here.length === 0
      ? []
      : [`**Kernels, ${shapeName(shape)}: ms forward + backward**`, markdown(['', 'precision', ...variants], rows)];
  });
}

function implementationTables({ ours }) {
  const pairs = new Map();
  for (const line of ours) {
    const key = JSON.stringify([line.shape, line.precision]);
    pairs.set(key, { ...pairs.get(key), [line.implementation]: line });
  }
  const rows = [...pairs.values()].map(({ slim, cudnn }) => {
    const { shape, precision } = slim ?? cudnn;
    const name = [shapeName(shape), precision];
    const problem = [slim, cudnn].find((line) => line?.error !== undefined);
    if (problem !== undefined) return [...name, problem.error];
    const [own, theirs] = [slim, cudnn].map((line) => medians(line === undefined ? [] : [line]));
    return [
      ...name,
      ...[own, theirs].flatMap(({ forward, training }) => [three(forward), three(training)]),
      (theirs.forward / own.forward).toFixed(2),
      (theirs.training / own.training).toFixed(2),
    ];
  });
  return ['**The standard LSTM, this package’s and cuDNN’s by `implementation`**', markdown(IMPLEMENTATION_HEAD, rows)];
}

const IMPLEMENTATION_HEAD = [
  '',
  'precision',
  "'slim': forward ms",
  'forward + backward ms',
  "'cudnn': forward ms",
  'forward + backward ms',
  'times forward',
  'times forward + backward',
];

function markdown(head, rows) {
  const text = (cell) => String(cell).replace(/^(NaN|Infinity|-Infinity)$/, '');
  const line = (cells) => `| ${head.map((_, i) => text(cells[i] ?? '').replaceAll('|', '/')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
