/** What the figures were measured on. */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

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
