/** The products beside oneDNN's `dnnl_sgemm`. */

import { productNames, productRow, timedProducts } from '../instrument/products.mjs';
import { goals } from './goals.mjs';

export const title = 'Products beside dnnl_sgemm';

// Those that goals are set for; the others are for information.
const WITH_GOAL = ['64x512, K 128', '64x1024, K 256', '32x2048, K 512', '996x128, K 500, dense'];

export async function measure({ programs, threads, rounds, ceilings, pace, progress }) {
  const counts = threads === 1 ? [1] : [1, threads];
  const names = await productNames(programs.gemm);
  const groups = counts.map((count) => ({ count, lines: [] }));
  for (const { count, lines } of groups) {
    for (const name of names) {
      const options = ['--threads', String(count), '--samples', String(rounds), '--only', name];
      lines.push(...(await pace.during(() => timedProducts(programs.gemm, options))));
      progress(counts.indexOf(count) * names.length + lines.length, counts.length * names.length);
    }
  }
  return {
    about:
      'GF/s of `bench/gemm`: weights packed beforehand, as once an update; of `dnnl_sgemm` with its own packing. Several ' +
      'sets of random operands take turns, larger together than the caches.',
    groups: groups.map(({ count, lines }) => ({
      title: count === 1 ? '1 thread' : `${count} threads`,
      unit: 'GF/s',
      score: 'times dnnl_sgemm',
      rows: lines.map((line) => ({
        ...productRow(line, ceilings.find(({ threads }) => threads === count).gflops),
        goal: WITH_GOAL.some((shape) => line.name === `product ${shape}`) ? goals.gemm : undefined,
      })),
    })),
  };
}
