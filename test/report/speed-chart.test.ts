import { describe, expect, test } from 'vitest';
import { type SpeedChart, speedChart } from '../../src/report/speed-chart.js';
import { comparedVariants } from '../../src/timing/comparison.js';
import { variants } from '../../src/variants.js';
import { allElements, parseXml, type XmlElement } from './xml.js';

function compared(parts: readonly { name: string; time: number; flops: number }[]) {
  const timed = parts.map(({ name, time, flops }) => ({
    name,
    parameters: 1,
    training: { flops: flops * 1e9, milliseconds: [time] },
  }));
  return comparedVariants(timed, 'LSTM', 1);
}

const two = compared([
  { name: 'LSTM', time: 10, flops: 8 },
  { name: 'half', time: 5, flops: 2 },
  { name: 'slow', time: 15, flops: 4 },
]);

const chart: SpeedChart = {
  title: 'A title',
  notes: ['One note', 'Another'],
  time: 'Time of forward + backward',
  panels: [{ title: 'T 1, B 2, m 3, n 4', variants: two }],
};

const number = (element: XmlElement | undefined, name: string) => Number(element?.attributes[name]);
const ofClass = (elements: XmlElement[], name: string) =>
  elements.filter(({ attributes }) => attributes.class === name);

/** Bars without those of the legend, which have no title. */
function bars(elements: XmlElement[], kind: 'time' | 'flops'): number[] {
  return ofClass(elements, kind)
    .filter(({ children }) => children.length > 0)
    .map((bar) => number(bar, 'width'));
}

describe('the picture of speeds', () => {
  const elements = allElements(parseXml(speedChart(chart)));
  const texts = elements.filter(({ name }) => name === 'text').map(({ text }) => text);

  test('has bars as long as the parts of the time and the operations of LSTM', () => {
    const [lstm = 0, half, slow] = bars(elements, 'time');
    expect(lstm).toBeGreaterThan(100);
    expect(half).toBeCloseTo(0.5 * lstm, 1);
    expect(slow).toBeCloseTo(1.5 * lstm, 1);
    const flops = bars(elements, 'flops');
    expect(flops[0]).toBeCloseTo(lstm, 1);
    expect(flops[1]).toBeCloseTo(0.25 * lstm, 1);
    expect(flops[2]).toBeCloseTo(0.5 * lstm, 1);
  });

  test('says what it shows: title, notes, sizes, names, parts in percent, what the colours mean', () => {
    expect(texts).toEqual(expect.arrayContaining(['A title', 'One note', 'Another', 'T 1, B 2, m 3, n 4']));
    expect(texts).toEqual(expect.arrayContaining(['LSTM', 'half', 'slow', '50 %', '25 %', '150 %']));
    expect(texts).toContain('Time of forward + backward (LSTM = 100 %)');
    expect(texts).toContain('FLOPs of the matrix products (LSTM = 100 %)');
  });

  test('stands alone: no script, nothing from elsewhere', () => {
    const [root] = elements;
    expect(root?.attributes.xmlns).toBe('http://www.w3.org/2000/svg');
    expect(new Set(elements.map(({ name }) => name))).toEqual(new Set(['svg', 'title', 'style', 'rect', 'text']));
    expect(speedChart(chart)).not.toMatch(/href|url\(|@import|on[a-z]+=/);
  });
});

test('a variant that takes many times longer is cut and leaves the others their length', () => {
  const variants = compared([
    { name: 'LSTM', time: 10, flops: 8 },
    { name: 'paused', time: 1600, flops: 2 },
  ]);
  const elements = allElements(parseXml(speedChart({ ...chart, panels: [{ title: '', variants }] })));
  const [lstm = 0, paused] = bars(elements, 'time');
  expect(paused).toBeCloseTo(3 * lstm, 1);
  expect(elements.some(({ name, text }) => name === 'text' && text === '16000 %')).toBe(true);
  // The page itself and the cut.
  expect(ofClass(elements, 'page')).toHaveLength(2);
});

test('names are text, whatever characters they hold', () => {
  const name = '</text><script>&"\'\u0000\u001b\ud800é字';
  const elements = allElements(parseXml(speedChart({ ...chart, title: name, panels: [] })));
  expect(elements.some((element) => element.name === 'script')).toBe(false);
  expect(elements.find(({ name: tag }) => tag === 'text')?.text).toBe('</text><script>&"\'é字');
});

test('nothing lies over anything else or outside the picture: 12 variants at 3, 4 and 7 sizes', () => {
  const all = compared(Object.keys(variants).map((name, i) => ({ name, time: 12 - i, flops: 24 - 2 * i })));
  for (const count of [1, 3, 4, 7]) {
    const panels = Array.from({ length: count }, () => ({ title: 'T 1024, B 1024, m 1024, n 1024', variants: all }));
    const root = parseXml(speedChart({ ...chart, panels }));
    const elements = allElements(root);
    const places = elements
      .filter(({ attributes }) => ['time', 'flops', 'head', 'name', 'number'].includes(attributes.class ?? ''))
      .map(({ attributes, name, text }) => {
        const size = attributes.class === 'head' ? 13 : attributes.class === 'name' ? 12 : 10;
        const width = name === 'rect' ? Number(attributes.width) : 0.6 * size * text.length;
        const height = name === 'rect' ? Number(attributes.height) : size;
        const [x, y] = [Number(attributes.x), Number(attributes.y)];
        const left = attributes.class === 'name' ? x - width : x;
        const top = name === 'rect' ? y : y - 0.8 * height;
        return { left, right: left + width, top, bottom: top + 0.9 * height };
      });
    expect(places).toHaveLength(2 + count * (1 + 12 * 5));
    places.forEach((a, i) => {
      expect(a.left).toBeGreaterThanOrEqual(0);
      expect(a.right).toBeLessThanOrEqual(number(root, 'width'));
      expect(a.bottom).toBeLessThanOrEqual(number(root, 'height'));
      for (const b of places.slice(i + 1)) {
        const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
        if (!apart) expect({ a, b }).toBe('apart');
      }
    });
  }
});
