/** The system's part of the set-up: Node, a C++20 compiler, CMake, a build tool and Highway's headers. */

import process from 'node:process';
import { outputOf, SetupError, statusOf } from './command.mjs';

const OLDEST_NODE = [20, 17];
const OLDEST_CMAKE = [3, 22];

/** What each need is called by the package managers this project knows. */
const PACKAGES = {
  'apt-get': { compiler: 'g++', cmake: 'cmake', buildTool: 'ninja-build', highway: 'libhwy-dev' },
  dnf: { compiler: 'gcc-c++', cmake: 'cmake', buildTool: 'ninja-build', highway: 'highway-devel' },
  pacman: { compiler: 'gcc', cmake: 'cmake', buildTool: 'ninja', highway: 'highway' },
  apk: { compiler: 'g++', cmake: 'cmake', buildTool: 'samurai', highway: 'highway-dev' },
  brew: { compiler: 'llvm', cmake: 'cmake', buildTool: 'ninja', highway: 'highway' },
};

const INSTALL = {
  'apt-get': 'apt-get install',
  dnf: 'dnf install',
  pacman: 'pacman -S',
  apk: 'apk add',
  brew: 'brew install',
};

// Preprocessing alone answers both questions in a few milliseconds.
const PROBE = `
#include <version>
#if !defined(__cpp_concepts) || !defined(__cpp_lib_span)
NO_CXX20
#endif
#if !__has_include(<hwy/highway.h>)
NO_HIGHWAY
#endif
`;

function olderThan(version, oldest) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
}

/** The compiler CMake will take: $CXX, else the first of the usual names. */
function probeCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const name of names) {
    const answer = outputOf(name, ['-std=c++20', '-x', 'c++', '-E', '-P', '-'], { input: PROBE });
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** The needs that are not met: keys of the rows of PACKAGES. */
function missingNeeds() {
  const missing = [];
  const probe = probeCompiler();
  if (probe === undefined || probe.includes('NO_CXX20')) missing.push('compiler');
  const cmake = outputOf('cmake', ['--version'])?.match(/cmake version (\S+)/)?.[1];
  if (cmake === undefined || olderThan(cmake, OLDEST_CMAKE)) missing.push('cmake');
  if (outputOf('ninja', ['--version']) === undefined && outputOf('make', ['--version']) === undefined) {
    missing.push('buildTool');
  }
  // Without a compiler there is nobody to ask; the package is small and harmless where it is there already.
  if (probe === undefined || probe.includes('NO_HIGHWAY')) missing.push('highway');
  return missing;
}

function packageManager() {
  return Object.keys(PACKAGES).find((name) => outputOf(name, ['--version']) !== undefined);
}

/** How to become root without a question: [], ['sudo', '-n'], or undefined where that is impossible. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return outputOf('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

function aptInstall(prefix, packages) {
  const command = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  const apt = (...args) => statusOf(command[0], [...command.slice(1), ...args]) === 0;
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  // A fresh machine has no package lists yet. Where one of several sources cannot be reached, the others may suffice.
  apt('-qq', 'update');
  return apt('-qq', ...install);
}

function describe(needs) {
  const words = {
    compiler: 'a C++20 compiler (GCC 11 or Clang 14, or newer)',
    cmake: `CMake ${OLDEST_CMAKE.join('.')} or newer`,
    buildTool: 'ninja or make',
    highway: "Highway's headers (hwy/highway.h)",
  };
  return needs.map((need) => words[need]).join(', ');
}

/** Makes sure that the system can build the package, installing what lacks where that needs no question. */
export function ensureToolchain() {
  if (olderThan(process.versions.node, OLDEST_NODE)) {
    throw new SetupError(`Expected Node ${OLDEST_NODE.join('.')} or newer but this is Node ${process.versions.node}`);
  }
  const missing = missingNeeds();
  if (missing.length === 0) return;

  const manager = packageManager();
  if (manager === undefined) throw new SetupError(`Missing: ${describe(missing)}. Install them and run this again.`);
  const packages = missing.map((need) => PACKAGES[manager][need]);
  const remedy = `${INSTALL[manager]} ${packages.join(' ')}`;
  const prefix = manager === 'apt-get' ? rootPrefix() : undefined;
  if (prefix === undefined) {
    const asRoot = manager === 'brew' ? '' : ', as root,';
    throw new SetupError(`Missing: ${describe(missing)}. Install them${asRoot} with: ${remedy}`);
  }
  console.log(`Installing system packages: ${packages.join(' ')}`);
  if (!aptInstall(prefix, packages)) throw new SetupError(`Could not install ${packages.join(' ')}: ${remedy} failed`);
  const still = missingNeeds();
  if (still.length > 0) throw new SetupError(`Still missing after ${remedy}: ${describe(still)}`);
}
