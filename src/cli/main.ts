#!/usr/bin/env node
/** The command line: `slim-lstm <command>`. Each command is a file of its own. */

import { Command } from 'commander';
import { benchCommand } from './bench.js';
import { doctorCommand } from './doctor.js';
import { evaluateCommand } from './evaluate.js';
import { reportFailure } from './failure.js';
import { predictCommand } from './predict.js';
import { trainCommand } from './train.js';
import { packageVersion } from './version.js';

const program = new Command('slim-lstm')
  .description('Train and run text classifiers built on slim LSTMs.')
  .version(packageVersion)
  .showHelpAfterError('(add --help for the options)')
  .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage.');

for (const command of [trainCommand(), evaluateCommand(), predictCommand(), benchCommand(), doctorCommand()]) {
  program.addCommand(command.copyInheritedSettings(program));
}
for (const command of [program, ...program.commands]) command.exitOverride();

// A reader that has had enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, process.argv.includes('--json'));
}
