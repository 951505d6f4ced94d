/** Why the native addon could not be loaded, in words that say what to do. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param root the package's folder.
 * @param path the addon that was found, or undefined where none was.
 * @param cause what the loader threw.
 */
export function diagnoseLoadFailure(root: string, path: string | undefined, cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const lines =
    path === undefined ? nothingFound(root) : [`The native addon of slim-lstm at ${path} could not be loaded.`];
  if (path !== undefined) lines.push(...refusal(code, message));
  lines.push(`This is ${platformInWords()}, Node ${process.versions.node}.`, `The loader said: ${firstLine(message)}`);
  return lines.join('\n');
}

function nothingFound(root: string): string[] {
  return [
    'No native addon of slim-lstm was found.',
    `Looked in ${join(root, 'build', 'Release')}, ${join(root, 'build', 'Debug')} and ${join(root, 'prebuilds')}${prebuilt(root)}.`,
    buildAdvice,
  ];
}

const buildAdvice =
  'Build it: in a checkout "npm run build"; in a project that has slim-lstm installed ' +
  '"npm install --no-save node-addon-api@8 node-api-headers@1" and ' +
  '"node node_modules/slim-lstm/scripts/build-from-source.mjs".';

function prebuilt(root: string): string {
  const folder = join(root, 'prebuilds');
  if (!existsSync(folder)) return '';
  return ` (which holds ${readdirSync(folder).join(', ') || 'nothing'})`;
}

/** What the system's words mean; the tests are against glibc's, musl's and Node's own texts. */
function refusal(code: unknown, message: string): string[] {
  if (code === 'ERR_DLOPEN_DISABLED') {
    return ['Node was started without native addons: leave out --no-addons, or allow them with --allow-addons.'];
  }
  if (/GLIBC(XX)?_[\d.]+' not found/.test(message)) {
    return ["It needs a newer C library than this system's.", buildAdvice];
  }
  if (/libc\.musl|ld-linux|symbol not found|Error relocating/.test(message)) {
    return ['It was built for another C library (glibc against musl).', buildAdvice];
  }
  if (/invalid ELF header|wrong ELF class|not a valid Win32|incompatible architecture|file too short/.test(message)) {
    return ['It is damaged or was built for another platform.', buildAdvice];
  }
  if (/did not self-register/.test(message)) {
    return ['It is no addon of this package, or was built for another Node-API.', buildAdvice];
  }
  return [buildAdvice];
}

function platformInWords(): string {
  return `${process.platform} on ${process.arch}${process.platform === 'linux' ? ` with ${libcInWords()}` : ''}`;
}

function libcInWords(): string {
  const report = process.report as { excludeNetwork?: boolean; getReport(): unknown } | undefined;
  if (report === undefined) return 'an unknown C library';
  // Without this the report asks the name service for the address of every open socket.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? 'musl' : `glibc ${header.glibcVersionRuntime}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
