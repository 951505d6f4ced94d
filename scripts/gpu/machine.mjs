/** What this machine has for CUDA: its GPU, the compiler, NVIDIA's libraries and the sanitizer. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { outputOf, root } from '../setup/command.mjs';
import { findNvcc, machineArchitectures } from '../setup/cuda.mjs';

/** What is compiled where no GPU says for what. */
export const USUAL_ARCHITECTURE = '90a-real';

/** Python that may have NVIDIA's libraries as packages, and PyTorch as a peer. */
export const PYTHON = 'python3';

export function machineFacts() {
  const packages = pythonPackages();
  return {
    gpu: gpu(),
    architectures: machineArchitectures() ?? USUAL_ARCHITECTURE,
    nvcc: findNvcc()?.version.match(/release (\S+),/)?.[1] ?? null,
    sanitizer: sanitizer() ?? null,
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    source: sourceVersion(),
    environment: environment(packages),
  };
}

export function factLines({ gpu, architectures, nvcc, sanitizer, cores, processor, source }) {
  return [
    `slim-lstm ${source}, ${new Date().toISOString().slice(0, 10)}`,
    gpu === null ? 'no GPU' : `${gpu.name}, driver ${gpu.driver}, ${gpu.memory}`,
    `nvcc ${nvcc ?? 'missing'}, for ${architectures}; compute-sanitizer ${sanitizer === null ? 'missing' : 'found'}`,
    `${cores} cores, ${processor}, Node ${process.version}`,
  ];
}

/** The first one; null where there is none. */
function gpu() {
  const answer = outputOf('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']);
  const [name, driver, memory] = answer?.split('\n')[0]?.split(', ') ?? [];
  return memory === undefined ? null : { name, driver, memory };
}

function sanitizer() {
  const { CUDA_HOME, CUDA_PATH } = process.env;
  const toolkits = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda'].filter(Boolean).map((folder) => join(folder, 'bin'));
  return [...(process.env.PATH ?? '').split(delimiter), ...toolkits]
    .map((folder) => join(folder, 'compute-sanitizer'))
    .find((path) => existsSync(path));
}

/** Where `python3` keeps its packages. */
function pythonPackages() {
  const answer = outputOf(PYTHON, ['-c', 'import sysconfig; print(sysconfig.get_paths()["purelib"])']);
  return answer?.trim();
}

/** Lets the CUDA library find cuBLASLt and cuDNN among Python's packages, and CMake Highway's headers in a bundle. */
function environment(packages) {
  const variables = {};
  const headers = join(root, 'include');
  if (existsSync(join(headers, 'hwy'))) variables.CMAKE_INCLUDE_PATH = headers;
  if (packages !== undefined && hasNvidiaLibraries(packages)) {
    const named = process.env.SLIM_LSTM_CUDA_LIBRARIES;
    variables.SLIM_LSTM_CUDA_LIBRARIES = named ? `${named}:${packages}` : packages;
  }
  return variables;
}

function hasNvidiaLibraries(packages) {
  const folder = join(packages, 'nvidia');
  return existsSync(folder) && readdirSync(folder).some((name) => existsSync(join(folder, name, 'lib')));
}

/** The commit, as the bundle or git tells it. */
function sourceVersion() {
  const bundle = join(root, 'bundle.json');
  if (existsSync(bundle)) return JSON.parse(readFileSync(bundle, 'utf8')).commit;
  return outputOf('git', ['describe', '--always', '--dirty'])?.trim() ?? 'unknown';
}
