// `switchyard replay --until MOMENT`: what ran in an environment at a moment, folded straight from the log, with no
// view in between. It is the plainest answer there is, and what every other one can be held against.
import { existsSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { ADDRESS_HELP, addressFrom, configuredAddress } from './addresses.js';
import { eventsOf } from './compare-logs.js';
import { EXIT, examplesAndCodes, Failure } from './exit.js';
import { counted, showProgress } from './progress.js';
import { environment } from '../src/domain/environment.js';
import type { EnvironmentState } from '../src/domain/environment-state.js';
import { idInStream, isEnvironmentEvent } from '../src/domain/events.js';
import { project, type EnvironmentEntry, type ProjectState } from '../src/domain/project.js';
import type { ProjectEvent } from '../src/domain/project.events.js';
import { Recorded } from '../src/domain/recorded.js';
import { START, StoreRefused, type EventStore, type Position } from '../src/store/event-store.js';
import { openEventStore } from '../src/store/open-event-store.js';

/** A position, or a time in milliseconds since 1970. */
type Moment = { readonly position: Position } | { readonly timeMs: number };

interface Options {
  readonly until?: Moment;
  readonly environment?: string;
  readonly project: string;
  readonly from?: string;
  readonly json?: true;
}

export function addReplay(program: Command): void {
  program
    .command('replay')
    .description('Print what was active in an environment at a moment, folded straight from the log.')
    .option('--until <MOMENT>', 'a time (RFC 3339) or a position (default: the end of the log)', momentFrom)
    .option('--environment <NAME>', 'slug or id, as of then (default: all that are not archived)')
    .option('--project <NAME>', 'slug or id', 'default')
    .option('--from <ADDRESS>', 'the log (default: that of the settings, as the server would open it)')
    .option('--json', 'print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      `${ADDRESS_HELP}\nA SQLite log must not be in use: replay a copy that switchyard backup made.\n${examplesAndCodes(
        [
          'switchyard replay --until 2026-03-03T14:05:00Z --environment production',
          'switchyard replay --until 4711 --from sqlite:/backups/2026-03-04.db --json',
        ],
        [EXIT.ok, EXIT.failed, EXIT.usage, EXIT.refused],
      )}`,
    )
    .action(async (options: Options) => {
      process.stdout.write(await replay(options));
    });
}

async function replay(options: Options): Promise<string> {
  const address = options.from === undefined ? configuredAddress() : addressFrom(options.from, '--from');
  // Opening would begin a new log where there is none.
  if (address.kind === 'sqlite' && !existsSync(address.path)) {
    throw new StoreRefused(`There is no log at ${address.path}`);
  }
  const store = await openEventStore(address);
  try {
    const past = await Past.of(store, options.until);
    const shown = past.environments(options.project, options.environment);
    return options.json === true
      ? `${JSON.stringify({ ...past.moment, environments: shown })}\n`
      : words(past, shown);
  } finally {
    await store.close();
  }
}

interface Shown {
  readonly environment: string;
  readonly id: string;
  readonly release: number;
  readonly active: readonly {
    readonly flow: string;
    readonly flowId: string;
    readonly number: number;
    readonly digest: string;
  }[];
}

/** Everything that decides what runs, as of one moment. */
class Past {
  private readonly projects = new Map<string, ProjectState>();
  private readonly states = new Map<string, EnvironmentState>();
  private readonly flowSlugs = new Map<string, string>();
  private position = START;
  private timeMs = 0;
  events = 0;

  static async of(store: EventStore, until: Moment | undefined): Promise<Past> {
    const past = new Past();
    const head = await store.head();
    const progress = showProgress('Replaying');
    try {
      for await (const stored of eventsOf(store, START, head)) {
        const recorded = new Recorded(stored);
        if (until !== undefined && past.isAfter(recorded, until)) break;
        past.take(recorded);
        progress.reached(Number(recorded.position) / Number(head));
      }
    } finally {
      progress.stop();
    }
    return past;
  }

  get moment() {
    const time = this.events === 0 ? null : new Date(this.timeMs).toISOString();
    return { position: String(this.position), time, events: this.events };
  }

  environments(projectReference: string, reference: string | undefined): Shown[] {
    const found = [...this.projects].find(([id, { slug }]) => [id, slug].includes(projectReference))?.[1];
    if (found === undefined) throw new Failure(`There was no project ${projectReference} then`);
    if (reference === undefined) {
      return [...found.environments.values()]
        .filter(({ archived }) => !archived)
        .map((one) => this.shown(one));
    }
    const entry = found.environments.get(found.slugs.get(reference) ?? reference);
    if (entry === undefined) throw new Failure(`There was no environment ${reference} then`);
    return [this.shown(entry)];
  }

  /** The clocks of servers differ: the time of an event is never earlier than that of those before it. */
  private isAfter(recorded: Recorded, until: Moment): boolean {
    if ('position' in until) return recorded.position > until.position;
    return Math.max(this.timeMs, Date.parse(recorded.meta.time)) > until.timeMs;
  }

  private take(recorded: Recorded): void {
    const { event, stream, position } = recorded;
    const id = idInStream(stream);
    if (stream.startsWith('project-')) {
      const state = this.projects.get(id) ?? project.initial();
      this.projects.set(id, project.evolve(state, event as ProjectEvent));
    } else if (isEnvironmentEvent(event)) {
      this.states.set(id, environment.evolve(this.states.get(id) ?? environment.initial(), event));
    } else if (event.type === 'FlowCreated') {
      this.flowSlugs.set(id, event.slug);
    }
    this.position = position;
    this.timeMs = Math.max(this.timeMs, Date.parse(recorded.meta.time));
    this.events += 1;
  }

  private shown({ id, slug }: EnvironmentEntry): Shown {
    const { release, flows } = this.states.get(id) ?? environment.initial();
    const active = [...flows].flatMap(([flowId, { version }]) => {
      if (version === null) return [];
      const flow = this.flowSlugs.get(flowId) ?? flowId;
      return [{ flow, flowId, number: version.number, digest: version.digest }];
    });
    return { environment: slug, id, release, active: active.sort((a, b) => (a.flow < b.flow ? -1 : 1)) };
  }
}

function words(past: Past, environments: readonly Shown[]): string {
  const { position, time } = past.moment;
  const lines = [
    `As of position ${position}${time === null ? '' : `, ${time}`} (${counted(past.events, 'event')})`,
  ];
  for (const { environment: slug, release, active } of environments) {
    lines.push('', `${slug}: release ${release}, ${counted(active.length, 'flow')} active`);
    const width = Math.max(0, ...active.map(({ flow }) => flow.length));
    for (const { flow, number, digest } of active) {
      lines.push(`  ${flow.padEnd(width)}  version ${number}  sha256 ${digest.slice(0, 16)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const POSITION = /^(0|[1-9][0-9]{0,18})$/;
const TIME = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function momentFrom(text: string): Moment {
  if (POSITION.test(text)) return { position: BigInt(text) };
  const timeMs = TIME.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(timeMs))
    throw new InvalidArgumentError('A position or a time such as 2026-03-03T14:05:00Z');
  return { timeMs };
}
