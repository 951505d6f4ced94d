/** What `bench/gemm` tells of the products: a line of JSON for each shape and number of threads. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The names of all shapes, of which none is a part of another. */
export async function productNames(program) {
  const { stdout } = await promisify(execFile)(program, ['--names']);
  return stdout.trim().split('\n');
}

/** @param options names and values of the program's options, `--json` apart */
export async function timedProducts(program, options) {
  const { stdout } = await promisify(execFile)(program, ['--json', ...options]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** A row of tables, beside the peer where there is one. `peak` is in GF/s, on as many threads. */
export function productRow({ name, ours, peer }, peak) {
  return {
    name,
    ...ours,
    peer: peer?.median,
    score: peer === undefined ? undefined : ours.median / peer.median,
    ofPeak: ours.median / peak,
  };
}
