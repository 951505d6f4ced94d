import { describe, expect, it } from 'vitest';
import { confusionMatrix, mostProbableClasses, worstConfusions } from '../../src/report/confusion.js';

describe('confusionMatrix', () => {
  const matrix = confusionMatrix([0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 0, 0, 2], 3);

  it('counts actual classes by row and predicted ones by column', () => {
    expect([...matrix.counts]).toEqual([1, 1, 0, 0, 2, 0, 2, 0, 1]);
  });

  it('has the part on the diagonal as accuracy', () => {
    expect(matrix.accuracy).toBeCloseTo(4 / 7, 12);
  });

  it('names the pairs most often confused, the worst first, and none that never were', () => {
    expect(worstConfusions(matrix, 5)).toEqual([
      { actual: 2, predicted: 0, count: 2 },
      { actual: 0, predicted: 1, count: 1 },
    ]);
    expect(worstConfusions(matrix, 1)).toHaveLength(1);
  });

  it('refuses ids that are no class, and lists of different lengths', () => {
    expect(() => confusionMatrix([0, 3], [0, 0], 3)).toThrow(/class ids from 0 to 2 but received 3 and 0 at 1/);
    expect(() => confusionMatrix([0], [0, 1], 3)).toThrow(/as many predicted as actual/);
  });
});

describe('mostProbableClasses', () => {
  it('takes the first of equal scores', () => {
    expect([...mostProbableClasses(Float32Array.of(0.2, 0.5, 0.3, 0.4, 0.2, 0.4), 3)]).toEqual([1, 0]);
  });

  it('refuses scores that are no whole rows', () => {
    expect(() => mostProbableClasses(new Float32Array(5), 2)).toThrow(/Expected 2 scores for each row but received 5/);
    expect(() => mostProbableClasses(new Float32Array(0), 0)).toThrow(/^Expected a positive integer for classes/);
  });
});
