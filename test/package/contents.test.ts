import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, root } from './repository.js';

interface Packed {
  size: number;
  files: { path: string; size: number; mode: number }[];
}

/** The budget of the published archive, with all that it will ever carry. */
const LARGEST_ARCHIVE = 5_000_000;

describe('the packed archive', () => {
  let packed: Packed;
  let paths: string[];

  beforeAll(() => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--loglevel=silent'], {
      cwd: root,
      encoding: 'utf8',
    });
    packed = (JSON.parse(output) as [Packed])[0];
    paths = packed.files.map(({ path }) => path);
  });

  test('holds nothing but the library, its native sources and its papers', () => {
    const allowed = [
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|CMakeLists\.txt)$/,
      /^dist\/.+\.(js|d\.ts)$/,
      /^native\/.+\.(cc|h|cu|cuh|map)$/,
      /^cmake\/.+\.(cmake|sh)$/,
      /^prebuilds\/[a-z0-9]+-[a-z0-9]+\/[^/]+\.(node|so\.br)$/,
      /^scripts\/build-from-source\.mjs$/,
    ];
    expect(paths.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  test('holds all it takes to build the addon from source', () => {
    // Files whose names begin with a dot are for tools that read sources, not for the build.
    const native = filesBelow('native').filter((path) => !path.includes('/.'));
    const sources = ['CMakeLists.txt', ...filesBelow('cmake'), ...native];
    expect(sources.filter((path) => !paths.includes(path))).toEqual([]);
    expect(paths).toContain('scripts/build-from-source.mjs');
  });

  test('holds every module with its declarations', () => {
    const modules = filesBelow('src')
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
      .map((path) => path.replace(/^src\//, 'dist/').replace(/\.ts$/, ''));
    expect(modules.filter((path) => !paths.includes(`${path}.js`))).toEqual([]);
    expect(modules.filter((path) => !paths.includes(`${path}.d.ts`))).toEqual([]);
  });

  test('holds the licence', () => {
    expect(paths).toContain('LICENSE');
  });

  test(`is no larger than ${LARGEST_ARCHIVE / 1e6} MB`, () => {
    expect(packed.size).toBeLessThan(LARGEST_ARCHIVE);
  });
});
