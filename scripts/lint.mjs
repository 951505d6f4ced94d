/** Checks types and form of all sources: tsc, Biome, clang-format, clang-tidy. */

import process from 'node:process';
import { allChecks, runChecks } from './checks.mjs';
import { main } from './setup/command.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  await setup();
  const results = runChecks(allChecks);
  console.log(`\n${results.map(({ name, outcome }) => `${name}: ${outcome}`).join('\n')}`);
  if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
});
