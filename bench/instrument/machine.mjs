/** What the figures were measured on. */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { setTimeout } from 'node:timers/promises';

export function machine() {
  const processor = (cpus()[0]?.model ?? 'unknown processor').replace(/\s+/g, ' ').trim();
  return { processor, cores: availableParallelism(), memoryGB: Math.round(totalmem() / 2 ** 30), system: systemName() };
}

/** A file name for its results, such as `amd-epyc-2-cores`. */
export function machineSlug({ processor, cores }) {
  const words = processor.toLowerCase().replace(/\((r|tm)\)/g, '');
  return `${words.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}-${cores}-cores`;
}

function systemName() {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))[1];
  } catch {
    return `${type()} ${release()}`;
  }
}

/** The part of all cores' time that was used within the next `milliseconds`, in [0, 1]. */
export async function busyShare(milliseconds = 1000) {
  const before = cpuTimes();
  await setTimeout(milliseconds);
  const after = cpuTimes();
  return (after.busy - before.busy) / Math.max(after.all - before.all, 1);
}

function cpuTimes() {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const sum = Object.values(times).reduce((total, time) => total + time, 0);
    all += sum;
    busy += sum - times.idle;
  }
  return { busy, all };
}
