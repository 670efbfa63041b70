#!/usr/bin/env node
// The `switchyard` command: one file beside this one for each thing that it does. What goes wrong is one line on stderr
// and an exit code.
import { Command, CommanderError } from 'commander';
import { ConfigRefused } from '../src/config.js';
import { OutcomeUnknown, StoreRefused, StoreUnavailable } from '../src/store/event-store.js';
import { backupCommand } from './backup.js';
import { copyCommand } from './copy.js';
import { exitCodes, Failed } from './outcome.js';

const program = new Command('switchyard')
  .description('Decides which version runs where, and proves afterwards who changed what.')
  .configureHelp({ showGlobalOptions: true })
  .addHelpText('after', `\nExit codes:\n${helpOfExitCodes()}`)
  .exitOverride();

program
  .command('serve')
  .description('serves the HTTP API, with the settings of the environment (see docs/operations.md)')
  .action(async () => {
    await import('../src/main.js');
  });
program.addCommand(backupCommand());
program.addCommand(copyCommand());
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof Failed || error instanceof ConfigRefused || error instanceof StoreRefused) {
    process.stderr.write(`${error.message}\n`);
    return error instanceof Failed ? error.exitCode : exitCodes.refused;
  }
  if (error instanceof StoreUnavailable || error instanceof OutcomeUnknown) {
    process.stderr.write(`The store went away: ${error.message}. Run the command again to go on\n`);
    return exitCodes.failed;
  }
  throw error;
}

function helpOfExitCodes(): string {
  return [
    `  ${exitCodes.done}   done`,
    `  ${exitCodes.failed}   failed: nothing is half there`,
    `  ${exitCodes.differs}   two logs differ`,
    `  ${exitCodes.usage}  the command was not understood`,
    `  ${exitCodes.refused}  a setting is wrong, or a store cannot be opened`,
  ].join('\n');
}
