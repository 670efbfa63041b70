// `switchyard serve`: the server, as `npm start` starts it.
import type { Command } from 'commander';
import { EXIT, examplesAndCodes } from './exit.js';

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('Start the server. Its settings come from the environment; docs/operations.md lists them.')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesAndCodes(
        [
          'switchyard serve',
          'PORT=8080 SWITCHYARD_DATA=/var/lib/switchyard switchyard serve',
          'SWITCHYARD_EVENT_STORE=postgres://user:password@host/database switchyard serve',
        ],
        [EXIT.ok, EXIT.failed, EXIT.usage, EXIT.refused],
      ),
    )
    .action(async () => {
      await import('../src/main.js');
    });
}
