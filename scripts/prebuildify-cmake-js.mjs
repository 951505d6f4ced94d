#!/usr/bin/env node
/**
 * Stands in for node-gyp under prebuildify, which knows no other builder: builds the package of the working directory
 * with cmake-js. What prebuildify passes (Node's version, a folder for its headers) has no meaning for Node-API 9.
 */

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';

const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');

for (const args of [['configure'], ['build', '--target=slim_lstm']]) {
  const { status } = spawnSync(process.execPath, [cmakeJs, ...args, '--log-level=error'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
