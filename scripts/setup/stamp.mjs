/** Content hashes of sources, kept beside what was built from them, so that a build is repeated only when it must be. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './command.mjs';

/** All files below a path (itself when it is a file), sorted, relative to the root; nothing when it is missing. */
function filesBelow(path) {
  const absolute = join(root, path);
  if (!existsSync(absolute)) return [];
  let entries;
  try {
    entries = readdirSync(absolute, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    throw error;
  }
  return entries.flatMap((entry) => filesBelow(`${path}/${entry.name}`)).sort();
}

/** A hash of the names and contents of all files below the paths, and of further facts that shape the result. */
export function hashOf(paths, facts = []) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of paths.flatMap(filesBelow)) {
    hash.update(`\0${file}\0`).update(
      createHash('sha256')
        .update(readFileSync(join(root, file)))
        .digest(),
    );
  }
  return hash.digest('hex');
}

/**
 * Runs `build` unless the stamp holds `hash` and `product` exists; writes the stamp after success. The stamp is
 * removed first, so that an interrupted build is not taken for a finished one.
 */
export function buildWhenStale({ stamp, hash, product, build }) {
  const stampPath = join(root, stamp);
  const current = existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash;
  if (current && existsSync(join(root, product))) return false;
  rmSync(stampPath, { force: true });
  build();
  mkdirSync(dirname(stampPath), { recursive: true });
  writeFileSync(stampPath, hash);
  return true;
}
