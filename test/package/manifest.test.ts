import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesBelow, manifest, readText, root } from './repository.js';

/** The packages a source imports or requires by name. */
function importedPackages(source: string): string[] {
  const specifiers = source.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*|\brequire\(\s*)'([^'./][^']*)'/g);
  return [...specifiers]
    .map(([, name = '']) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    )
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name));
}

describe('the manifest', () => {
  test('asks for Node-API 9 and Node 20.17', () => {
    expect(manifest.binary.napi_versions).toEqual([9]);
    expect(manifest.engines.node).toBe('>=20.17');
  });

  test('has nothing that runs at install time', () => {
    const installScripts = ['preinstall', 'install', 'postinstall', 'prepare', 'prepack', 'prepublish'];
    expect(Object.keys(manifest.scripts).filter((name) => installScripts.includes(name))).toEqual([]);
    // npm takes a binding.gyp for an install script.
    expect(existsSync(join(root, 'binding.gyp'))).toBe(false);
  });

  test('points at files that the build makes', () => {
    const entry = manifest.exports['.'] as Record<string, string>;
    for (const path of [...Object.values(entry), ...Object.values(manifest.bin)]) {
      expect(existsSync(join(root, path)), path).toBe(true);
    }
  });

  test('gives types first, as resolvers take the first condition that fits', () => {
    expect(Object.keys(manifest.exports['.'] as object)[0]).toBe('types');
  });

  test('names a command that the system can start', () => {
    expect(readText(manifest.bin['slim-lstm'] ?? '')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  test('lists as dependencies what src imports, no more and no less', () => {
    const imported = filesBelow('src').flatMap((path) => importedPackages(readText(path)));
    expect([...new Set(imported)].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });
});

interface LockedPackage {
  version?: string;
  integrity?: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

describe('the lock file', () => {
  const lock = JSON.parse(readText('package-lock.json')) as {
    version: string;
    packages: Record<string, LockedPackage>;
  };

  test('holds a checksum for every package and no address', () => {
    const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
    expect(packages.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
    expect(packages.filter(([, entry]) => !entry.integrity?.startsWith('sha512-'))).toEqual([]);
  });

  test('knows the packages of all platforms, without which npm ci refuses it', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  test('agrees with the manifest', () => {
    expect(lock.version).toBe(manifest.version);
    expect(lock.packages['']).toMatchObject({
      dependencies: manifest.dependencies,
      devDependencies: manifest.devDependencies,
    });
  });
});

describe('the documents', () => {
  test('CHANGELOG tells of this version', () => {
    expect(readText('CHANGELOG.md')).toContain(`## ${manifest.version}`);
  });

  test('CONTRIBUTING gives a reason for every dependency', () => {
    const contributing = readText('CONTRIBUTING.md');
    const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
    expect(names.filter((name) => !contributing.includes(`| \`${name}\``))).toEqual([]);
  });
});
