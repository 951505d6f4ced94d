/** One set-up at a time in one checkout: a second one waits for the first. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './command.mjs';

const LOCK = join(root, 'build', 'setup.lock');

function holderIsAlive() {
  try {
    process.kill(Number(readFileSync(LOCK, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function take() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** Runs `body` while this process holds the lock. */
export async function withSetupLock(body) {
  mkdirSync(dirname(LOCK), { recursive: true });
  let told = false;
  while (!take()) {
    if (!holderIsAlive()) {
      rmSync(LOCK, { force: true });
      continue;
    }
    if (!told) console.log('Waiting for another set-up of this checkout to finish');
    told = true;
    await sleep(500);
  }
  try {
    return await body();
  } finally {
    rmSync(LOCK, { force: true });
  }
}
