/** The CUDA library that the test run compiled, where nvcc is: what it shows and needs, and what its kernels take. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadNative } from '../src/load-native.js';

const folder = fileURLToPath(new URL('../build/cuda-check/', import.meta.url));
const library = join(folder, 'libslim_lstm_cuda.so');
const objects = join(folder, 'CMakeFiles', 'slim_lstm_cuda.dir', 'native', 'cuda');

/** The architecture that the kernels aim at. */
const aim = 'sm_90a';

/**
 * The kernels that walk over time with their operands in registers. The compiler holds them to the registers that their
 * launch bounds leave a thread, so that as many blocks as wanted are resident; what it cannot hold it spills, and that is
 * fetched again at every step. K1, the scan, must hold all of it, and on the architecture that the kernels aim at so must
 * those of K2 to K4, the teams of blocks, that serve where one block holds the layer: all on the matrix units, and some
 * instances in float32. The other instances in float32 may be up to four registers short.
 */
const scan = 'recurrence_scan.cu';
const teams = {
  'recurrence_team_forward.cu': 15,
  'recurrence_team_backward.cu': 15,
  'recurrence_matrix_forward.cu': 3,
  'recurrence_matrix_backward.cu': 3,
};
const oneBlock = /MatrixEngine|EngineShapeILi(?:4ELi4ELi2|1ELi8ELi[24])E/;
const fourRegisters = 16;

interface KernelUse {
  readonly source: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly stack: number;
  /** Bytes spilled: stored, and stored and loaded. */
  readonly stores: number;
  readonly spills: number;
  /** Bytes of shared memory that are not asked for at the launch. */
  readonly staticShared: number;
}

/** What ptxas said of the kernels of one source. */
function kernelsOf(source: string): KernelUse[] {
  const report = readFileSync(join(objects, `${source}.o.resources`), 'utf8');
  const entries = report.matchAll(
    /Compiling entry function '(\w+)' for '(\w+)'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\n[^\n]*Used \d+ registers([^\n]*)/g,
  );
  return [...entries].map(([, kernel = '', architecture = '', stack, stores, loads, rest = '']) => ({
    source,
    kernel,
    architecture,
    stack: Number(stack),
    stores: Number(stores),
    spills: Number(stores) + Number(loads),
    staticShared: Number(rest.match(/(\d+) bytes smem/)?.[1] ?? 0),
  }));
}

function outputOf(command: string, args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8' });
  } catch {
    return undefined;
  }
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(!existsSync(library))('the CUDA library', () => {
  it('opens without a driver and says what lacks', () => {
    vi.stubEnv('SLIM_LSTM_CUDA_LIBRARY', library);
    const cuda = loadNative().cuda();
    expect(cuda.opened).toBe(true);
    expect(cuda.runtimeCuda).toMatch(/^1[2-9]\.\d+$/);
    expect(cuda.architectures).toBe('75-real;90a-real');
    expect(cuda.libraries.map(({ name }) => name)).toEqual(['cuBLASLt', 'cuDNN']);
    for (const { version, path, reason } of cuda.libraries) {
      expect(version === null).toBe(reason !== null);
      expect(path === null).toBe(reason !== null);
    }
    if (cuda.devices.length === 0) {
      expect(cuda.reason).toMatch(/driver|CUDA_VISIBLE_DEVICES|GPU/);
      expect(cuda.reason).toContain('; ');
    }
  });

  it('shows its three functions and nothing else', () => {
    const shown = outputOf('nm', ['-D', '--defined-only', library]);
    if (shown === undefined) return;
    const names = shown
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ').at(-1));
    expect(names.sort()).toEqual(['slim_lstm_cuda_api_version', 'slim_lstm_cuda_init', 'slim_lstm_cuda_score']);
  });

  it('needs nothing of the system but its C library and libgcc', () => {
    const dynamic = outputOf('readelf', ['-d', '-W', library]);
    if (dynamic === undefined) return;
    const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name ?? '');
    expect(needed).toContain('libc.so.6');
    for (const name of needed) expect(name).toMatch(/^(lib(c|m|gcc_s|dl|rt|pthread)|ld-linux-[\w-]+)\.so\.\d$/);
  });

  it('no kernel of the scan keeps anything but registers and shared memory', () => {
    const kernels = kernelsOf(scan);
    expect(new Set(kernels.map(({ architecture }) => architecture))).toContain(aim);
    expect(kernels.filter(({ stack, spills }) => stack > 0 || spills > 0)).toEqual([]);
  });

  it.each(Object.entries(teams))('%s: of %i instances none for one block spills', (source, instances) => {
    const kernels = kernelsOf(source).filter(({ architecture }) => architecture === aim);
    expect(kernels.length).toBe(instances);
    const ofOneBlock = kernels.filter(({ kernel }) => oneBlock.test(kernel));
    expect(ofOneBlock.length).toBeGreaterThan(0);
    expect(ofOneBlock.filter(({ stack, spills }) => stack > 0 || spills > 0)).toEqual([]);
    expect(kernels.filter(({ stack, stores }) => stack > fourRegisters || stores > fourRegisters)).toEqual([]);
  });

  it('no kernel has shared memory of its own, beside what its launch asks for', () => {
    const sources = readdirSync(objects)
      .filter((name) => name.endsWith('.cu.o.resources'))
      .map((name) => name.slice(0, -'.o.resources'.length));
    const kernels = sources.flatMap(kernelsOf);
    expect(kernels.length).toBeGreaterThan(0);
    expect(kernels.filter(({ staticShared }) => staticShared > 0)).toEqual([]);
  });
});
