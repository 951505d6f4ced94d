import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from './repository.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slim-lstm-setup-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a module's code in the repository's root, with `folder` as the only place of programs where `bare` is set. */
function runCode(code: string, environment: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}

function program(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
}

describe.skipIf(process.platform !== 'linux')('the set-up on a bare system', () => {
  const ensureToolchain = `
    import { main } from './scripts/setup/command.mjs';
    import { ensureToolchain } from './scripts/setup/toolchain.mjs';
    await main(ensureToolchain);`;
  const onBareSystem = () => runCode(ensureToolchain, { PATH: folder, CXX: '' });

  test('names what lacks in one line where no package manager is known', () => {
    const { status, stderr } = onBareSystem();
    expect(status).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/^slim-lstm: Missing: a C\+\+20 compiler.*CMake 3\.22.*ninja or make.*hwy\/highway\.h/);
  });

  test.each([
    ['dnf', 'dnf install gcc-c++ cmake ninja-build highway-devel'],
    ['pacman', 'pacman -S gcc cmake ninja highway'],
    ['brew', 'brew install llvm cmake ninja highway'],
  ])('names the packages of %s', (manager, remedy) => {
    program(manager, 'exit 0');
    const { status, stderr } = onBareSystem();
    expect(status).toBe(1);
    expect(stderr.trimEnd().endsWith(remedy)).toBe(true);
  });

  test('installs by apt-get, and says so when that did not help', () => {
    const log = join(folder, 'log');
    symlinkSync('/usr/bin/env', join(folder, 'env'));
    program('sudo', '[ "$1" = -n ] && shift; exec "$@"');
    program('true', 'exit 0');
    program('apt-get', `echo "$DEBIAN_FRONTEND $@" >> '${log}'`);
    const { status, stderr } = onBareSystem();
    expect(status).toBe(1);
    expect(readFileSync(log, 'utf8').trimEnd().split('\n').slice(-2)).toEqual([
      'noninteractive -qq update',
      'noninteractive -qq install -y --no-install-recommends g++ cmake ninja-build libhwy-dev',
    ]);
    expect(stderr).toMatch(/^slim-lstm: Still missing after apt-get install g\+\+ cmake ninja-build libhwy-dev: /);
  });

  test('says when apt-get fails', () => {
    symlinkSync('/usr/bin/env', join(folder, 'env'));
    program('sudo', '[ "$1" = -n ] && shift; exec "$@"');
    program('true', 'exit 0');
    program('apt-get', '[ "$1" = --version ]');
    expect(onBareSystem().stderr).toMatch(/^slim-lstm: Could not install g\+\+ cmake ninja-build libhwy-dev: /);
  });
});

describe('a build that is repeated only when its sources change', () => {
  const buildIn = (place: string, build: string) =>
    runCode(`
      import { relative, join } from 'node:path';
      import { appendFileSync } from 'node:fs';
      import { buildWhenStale, hashOf } from './scripts/setup/stamp.mjs';
      const at = (name) => relative(process.cwd(), join(${JSON.stringify(place)}, name));
      buildWhenStale({ stamp: at('stamp'), hash: hashOf([at('source')]), product: at('product'), build: () => { ${build} } });`);
  const build = () => buildIn(folder, "appendFileSync(at('product'), 'x')");
  const timesBuilt = () => readFileSync(join(folder, 'product'), 'utf8').length;

  test('runs once for one content, again for another, again when the product is gone', () => {
    writeFileSync(join(folder, 'source'), 'one');
    build();
    build();
    expect(timesBuilt()).toBe(1);
    writeFileSync(join(folder, 'source'), 'two');
    build();
    expect(timesBuilt()).toBe(2);
    rmSync(join(folder, 'product'));
    build();
    expect(timesBuilt()).toBe(1);
  });

  test('is not taken for done after it failed', () => {
    writeFileSync(join(folder, 'source'), 'one');
    build();
    writeFileSync(join(folder, 'source'), 'two');
    expect(buildIn(folder, "throw new Error('no')").status).toBe(1);
    expect(existsSync(join(folder, 'stamp'))).toBe(false);
    build();
    expect(timesBuilt()).toBe(2);
  });
});
