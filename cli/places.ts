// `switchyard project` and `switchyard workspace`: making, listing, renaming, archiving and restoring what holds
// everything else, on a running server.
import type { Command } from 'commander';
import { asked, commandIn, listed, serverFrom } from './server-address.js';
import { inColumns, show } from './table.js';

/** What a project and a workspace have in common. Only a project tells when it was archived. */
interface Place {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly archived?: boolean;
  readonly archivedAt?: string | null;
  /** Of a workspace that was made just now. */
  readonly key?: string | null;
}

interface Kind {
  readonly name: 'project' | 'workspace';
  readonly description: string;
  readonly created: string;
  readonly archived: string;
}

interface Options {
  readonly slug?: string;
  readonly json?: true;
}

const PROJECT: Kind = {
  name: 'project',
  description: 'Projects of the workspace: environments and flows that belong together.',
  created: 'Make a project, without environments and flows.',
  archived: 'Archive a project: it can be read as before, and nothing in it resolves or changes.',
};

const WORKSPACE: Kind = {
  name: 'workspace',
  description: 'Workspaces: tenants that share nothing. For administrators of the one that came first.',
  created:
    'Make a workspace with the project `default`. Its administrator key is printed once and kept nowhere.',
  archived: 'Archive a workspace: no key of it works any more. Nothing is lost.',
};

export function addProject(program: Command): void {
  addPlaces(program, PROJECT);
}

export function addWorkspace(program: Command): void {
  addPlaces(program, WORKSPACE);
}

function addPlaces(program: Command, kind: Kind): void {
  const places = program
    .command(kind.name)
    .description(`${kind.description} On the server that SWITCHYARD_URL and SWITCHYARD_KEY name.`)
    .helpOption('-h, --help', 'print this')
    .helpCommand(false);
  addCreate(places, kind);
  addList(places, kind);
  addRename(places, kind);
  addMove(places, kind, 'archive', kind.archived);
  addMove(places, kind, 'restore', `Bring an archived ${kind.name} back, as it was.`);
}

function addCreate(places: Command, { name: kind, created }: Kind): void {
  const examples = [
    `switchyard ${kind} create "Online shop"`,
    `switchyard ${kind} create Shop --slug shop-eu --json`,
  ];
  commandIn(places, 'create', created, examples)
    .argument('<NAME>', 'what people call it')
    .option('--slug <SLUG>', 'what it goes by in addresses (default: made from the name)')
    .action(async (name: string, { slug, json }: Options) => {
      const body = { name, ...(slug !== undefined && { slug }) };
      const made = await asked<Place>(serverFrom(process.env), `/${kind}s`, { method: 'POST', body });
      if (made.key === undefined) return show(json, made, `Created ${inWords(made)}\n`);
      const words = `Created ${inWords(made)}. Its administrator key is shown this once:`;
      if (json !== true) process.stderr.write(`${words}\n`);
      show(json, made, `${made.key ?? ''}\n`);
    });
}

function addList(places: Command, { name: kind }: Kind): void {
  const examples = [`switchyard ${kind} list`, `switchyard ${kind} list --json`];
  commandIn(places, 'list', `Print the ${kind}s, oldest first.`, examples).action(
    async ({ json }: Options) => {
      const all = await listed<Place>(serverFrom(process.env), `/${kind}s`);
      const rows = all.map((place) => [
        place.slug,
        place.name,
        isArchived(place) ? 'archived' : 'in use',
        place.id,
      ]);
      show(json, all, inColumns(['SLUG', 'NAME', 'STATE', 'ID'], rows));
    },
  );
}

function addRename(places: Command, { name: kind }: Kind): void {
  const examples = [`switchyard ${kind} rename shop "Shop Europe"`];
  commandIn(places, 'rename', `Give a ${kind} another name. Its slug stays.`, examples)
    .argument(`<${kind.toUpperCase()}>`, 'slug or id')
    .argument('<NAME>', 'what people call it from now on')
    .action(async (reference: string, name: string, { json }: Options) => {
      const sent = { method: 'PATCH', body: { name } } as const;
      const renamed = await asked<Place>(serverFrom(process.env), pathOf(kind, reference), sent);
      show(json, renamed, `Renamed ${inWords(renamed)}\n`);
    });
}

function addMove(
  places: Command,
  { name: kind }: Kind,
  move: 'archive' | 'restore',
  description: string,
): void {
  commandIn(places, move, description, [`switchyard ${kind} ${move} shop`])
    .argument(`<${kind.toUpperCase()}>`, 'slug or id')
    .action(async (reference: string, { json }: Options) => {
      const path = `${pathOf(kind, reference)}/${move}`;
      const moved = await asked<Place>(serverFrom(process.env), path, { method: 'POST' });
      show(json, moved, `${move === 'archive' ? 'Archived' : 'Restored'} ${inWords(moved)}\n`);
    });
}

function inWords({ id, slug, name }: Place): string {
  return `${slug} (${id}): ${name}`;
}

function isArchived({ archived, archivedAt }: Place): boolean {
  return archived ?? typeof archivedAt === 'string';
}

function pathOf(kind: string, reference: string): string {
  return `/${kind}s/${encodeURIComponent(reference)}`;
}
