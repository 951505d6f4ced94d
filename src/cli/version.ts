import { readFileSync } from 'node:fs';

/** The package's version; the folder above `src/` and `dist/` is the package's root alike. */
export const packageVersion = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
