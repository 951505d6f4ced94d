/** The products beside oneDNN's `dnnl_sgemm`. */

import { productRow, timedProducts } from '../instrument/products.mjs';
import { goals } from './goals.mjs';

export const title = 'Products beside dnnl_sgemm';

// Those that goals are set for; the others are for information.
const WITH_GOAL = ['64x512, K 128', '64x1024, K 256', '32x2048, K 512', '996x128, K 500, dense'];

export async function measure({ programs, threads, rounds, ceilings }) {
  const counts = threads === 1 ? '1' : `1,${threads}`;
  const lines = await timedProducts(programs.gemm, ['--threads', counts, '--samples', String(rounds)]);
  const groups = byThreads(lines);
  return {
    about:
      'GF/s of `bench/gemm`: weights packed beforehand, as once an update; of `dnnl_sgemm` with its own packing. Several ' +
      'sets of random operands take turns, larger together than the caches.',
    groups: [...groups].map(([count, rows]) => ({
      title: count === 1 ? '1 thread' : `${count} threads`,
      unit: 'GF/s',
      score: 'times dnnl_sgemm',
      rows: rows.map((line) => ({
        ...productRow(line, ceilings.find(({ threads }) => threads === count).gflops),
        goal: WITH_GOAL.some((shape) => line.name === `product ${shape}`) ? goals.gemm : undefined,
      })),
    })),
  };
}

function byThreads(lines) {
  const groups = new Map();
  for (const line of lines) groups.set(line.threads, [...(groups.get(line.threads) ?? []), line]);
  return groups;
}
