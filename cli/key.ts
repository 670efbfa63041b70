// `switchyard key`: who may do what on a running server. A secret goes to stdout, alone and once; what is said about it
// goes to stderr.
import type { Command } from 'commander';
import { DURATION_HELP, durationFrom, momentFrom } from './durations.js';
import { EXIT, Failure } from './exit.js';
import { GRANT_HELP, grantsFrom, grantText } from './grant-notation.js';
import { asked, commandIn, listed, serverFrom } from './server-address.js';
import { inColumns, show } from './table.js';
import type { KeyAnswer, NewKeyAnswer } from '../src/api/keys.answers.js';
import type { Grant } from '../src/domain/access.events.js';

interface Json {
  readonly json?: true;
}

interface IssueOptions extends Json {
  readonly grant?: readonly Grant[];
  readonly expires?: string;
}

interface RotateOptions extends Json {
  readonly overlap?: number;
}

export function addKey(program: Command): void {
  const key = program
    .command('key')
    .description('API keys: who may do what. On the server that SWITCHYARD_URL and SWITCHYARD_KEY name.')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false);
  addIssue(key);
  addList(key);
  addShow(key);
  addRotate(key);
  addRevoke(key);
}

function addIssue(key: Command): void {
  commandIn(
    key,
    'issue',
    'Make a key. It is printed once and kept nowhere; it may do no more than your own.',
    [
      'switchyard key issue CI --grant viewer@shop/staging --grant promoter@shop/production',
      "switchyard key issue shop-app --grant 'resolver@*/production' --expires 90d > shop-app.key",
      'switchyard key issue auditor-2026 --grant auditor --expires 2027-01-31T00:00:00Z',
    ],
  )
    .argument('<NAME>', 'what people call it')
    .option('--grant <GRANT>', 'what it may do; repeatable', grantsFrom)
    .option('--expires <WHEN>', `a time (RFC 3339), or from now: ${DURATION_HELP}`, momentFrom)
    .addHelpText('after', GRANT_HELP)
    .action(async (name: string, { grant: grants, expires, json }: IssueOptions) => {
      if (grants === undefined) throw new Failure('--grant must say what the key may do', EXIT.usage);
      const body = { name, grants, ...(expires !== undefined && { expiresAt: expires }) };
      const issued = await asked<NewKeyAnswer>(serverFrom(process.env), '/keys', { method: 'POST', body });
      showSecret(json, issued, `Issued ${inWords(issued)}. It is shown this once:`);
    });
}

function addList(key: Command): void {
  commandIn(key, 'list', 'Print the keys that reach no further than your own, oldest first.', [
    'switchyard key list',
    'switchyard key list --json',
  ]).action(async ({ json }: Json) => {
    const keys = await listed<KeyAnswer>(serverFrom(process.env), '/keys');
    const rows = keys.map(({ id, name, prefix, grants, expiresAt, lastUsedOn }) => [
      ...[
        id,
        name,
        prefix ?? '-',
        grants.map(grantText).join(' '),
        expiresAt ?? 'never',
        lastUsedOn ?? 'never',
      ],
    ]);
    show(json, keys, inColumns(['ID', 'NAME', 'BEGINS', 'GRANTS', 'EXPIRES', 'LAST USED'], rows));
  });
}

function addShow(key: Command): void {
  commandIn(key, 'show', 'Print one key, without its secret.', [
    'switchyard key show 01a1fd01-634d-73e8-ae0d-c7da3e3dfcfa',
  ])
    .argument('<ID>', 'the id of the key')
    .action(async (id: string, { json }: Json) => {
      const found = await asked<KeyAnswer>(serverFrom(process.env), pathOf(id));
      show(json, found, `${inWords(found)}\n`);
    });
}

function addRotate(key: Command): void {
  commandIn(
    key,
    'rotate',
    'Give a key another secret, which is printed once. The one that it had works on for a while.',
    ['switchyard key rotate 01a1fd01-634d-73e8-ae0d-c7da3e3dfcfa --overlap 2h'],
  )
    .argument('<ID>', 'the id of the key')
    .option(
      '--overlap <DURATION>',
      `for how long, ${DURATION_HELP}; 0s for not at all (default: 24h)`,
      durationFrom,
    )
    .action(async (id: string, { overlap, json }: RotateOptions) => {
      const body = overlap === undefined ? {} : { overlapSeconds: overlap };
      const path = `${pathOf(id)}/rotate`;
      const rotated = await asked<NewKeyAnswer>(serverFrom(process.env), path, { method: 'POST', body });
      const until = `The secret that it had works until ${rotated.previousUntil}.`;
      showSecret(json, rotated, `Rotated ${inWords(rotated)}. ${until} The new one is shown this once:`);
    });
}

function addRevoke(key: Command): void {
  commandIn(key, 'revoke', 'End a key, at once and for good.', [
    'switchyard key revoke 01a1fd01-634d-73e8-ae0d-c7da3e3dfcfa',
  ])
    .argument('<ID>', 'the id of the key')
    .action(async (id: string, { json }: Json) => {
      const revoked = await asked<KeyAnswer>(serverFrom(process.env), pathOf(id), { method: 'DELETE' });
      show(json, revoked, `Revoked ${inWords(revoked)}\n`);
    });
}

/** Whoever writes stdout into a file has the secret there and the words before them. */
function showSecret(json: true | undefined, answer: NewKeyAnswer, words: string): void {
  if (json !== true) process.stderr.write(`${words}\n`);
  show(json, answer, `${answer.key ?? ''}\n`);
}

function inWords({ id, name, grants, expiresAt }: KeyAnswer): string {
  const until = expiresAt === null ? 'until it is revoked' : `until ${expiresAt}`;
  return `${name} (${id}): ${grants.map(grantText).join(' ')}, ${until}`;
}

function pathOf(id: string): string {
  return `/keys/${encodeURIComponent(id)}`;
}
