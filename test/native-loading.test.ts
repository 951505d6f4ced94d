import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNative } from '../src/load-native.js';
import { diagnoseLoadFailure } from '../src/native-diagnosis.js';

const require = createRequire(import.meta.url);
const nodeGypBuild = require('node-gyp-build') as { path(root: string): string };

/** What loading `path` throws. */
function failureOf(load: () => unknown): unknown {
  try {
    load();
  } catch (error) {
    return error;
  }
  throw new Error('loaded');
}

describe('the addon', () => {
  it('is loaded once, and says which instruction set it chose', () => {
    const native = loadNative();
    expect(loadNative()).toBe(native);
    expect(native.cpu().target.length).toBeGreaterThan(0);
    expect(native.cpu().cores).toBeGreaterThan(0);
  });
});

describe('a failure to load the addon', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'slim-lstm-loading-'));
  });
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  function build(name: string, content: string): string {
    const folder = join(root, name, 'build', 'Release');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'slim_lstm.node'), content);
    return nodeGypBuild.path(join(root, name));
  }

  it('for want of one says where it was looked for, what is there and how to build it', () => {
    const empty = join(root, 'empty');
    mkdirSync(join(empty, 'prebuilds', 'amiga-m68k'), { recursive: true });
    const cause = failureOf(() => nodeGypBuild.path(empty));
    const message = diagnoseLoadFailure(empty, undefined, cause);
    expect(message).toContain('No native addon of slim-lstm was found');
    expect(message).toContain(join(empty, 'build', 'Release'));
    expect(message).toContain('amiga-m68k');
    expect(message).toContain('npm run build');
    expect(message).toContain(`${process.platform} on ${process.arch}`);
  });

  it('because the file is damaged says so', () => {
    for (const [name, content] of [
      ['short', ''],
      ['text', 'this is no addon '.repeat(100)],
    ] as const) {
      const path = build(name, content);
      const message = diagnoseLoadFailure(
        root,
        path,
        failureOf(() => require(path)),
      );
      expect(message).toContain(path);
      expect(message).toContain('damaged or was built for another platform');
    }
  });

  it('because Node was told to load none names the switch', () => {
    const path = build('disabled', '');
    const script = `try { process.dlopen({ exports: {} }, ${JSON.stringify(path)}) } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message })) }`;
    const { code, message } = JSON.parse(
      execFileSync(process.execPath, ['--no-addons', '-e', script], { encoding: 'utf8' }),
    ) as { code: string; message: string };
    expect(diagnoseLoadFailure(root, path, Object.assign(new Error(message), { code }))).toContain('--no-addons');
  });

  it('because of the C library says which kind is at odds', () => {
    const glibc = new Error("/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by x.node)");
    expect(diagnoseLoadFailure(root, 'x.node', glibc)).toContain("newer C library than this system's");
    const musl = new Error('Error relocating x.node: __memcpy_chk: symbol not found');
    expect(diagnoseLoadFailure(root, 'x.node', musl)).toContain('glibc against musl');
  });
});
