#!/usr/bin/env node
// The `switchyard` command: which commands there are. Each is a file of its own here, and loads what it needs only
// once it runs. However a command ends, what went wrong is one line on stderr and an exit code.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addAcceptRestored } from './accept-restored.js';
import { addAudit } from './audit.js';
import { addBackup } from './backup.js';
import { addCopy } from './copy.js';
import { addDoctor } from './doctor.js';
import { EXIT, exitCodeOf, inOneLine } from './exit.js';
import { addKey } from './key.js';
import { addProject, addWorkspace } from './places.js';
import { addReplay } from './replay.js';
import { addServe } from './serve.js';

const program = new Command('switchyard')
  .description('The promotion and audit engine: its server, its log, and who may do what.')
  .version(ownVersion(), '-V, --version', 'print the version')
  .helpOption('-h, --help', 'print this')
  .helpCommand(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${inOneLine(text.replace(/^error: /, ''))}\n`) })
  .addHelpText('after', '\nswitchyard COMMAND --help shows examples and exit codes.');
const keepers = [addServe, addBackup, addCopy, addAudit, addAcceptRestored, addReplay, addDoctor];
for (const add of [...keepers, addKey, addProject, addWorkspace]) add(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has said already what is wrong.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    process.stderr.write(`${inOneLine(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

function ownVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
