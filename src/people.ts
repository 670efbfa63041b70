// What people are called: beside the log and never in it, so that a name can be erased without touching an event. The
// log knows a person by an id from which nobody can tell who it is.
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import type { PeopleNames } from '../projections/principal.js';
import { idInStream } from './domain/events.js';
import type { LogFollower } from './read/log-follower.js';
import { StoreRefused } from './store/event-store.js';

export interface Person {
  readonly workspaceId: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly email: string | null;
  /** When this was told last. */
  readonly seenAt: string;
}

export interface PeopleLog {
  warn(fields: object, message: string): void;
}

type Identity = Pick<Person, 'workspaceId' | 'issuer' | 'subject'>;

export class People implements PeopleNames {
  private lastWrite: Promise<void> = Promise.resolve();
  private readonly listeners: (() => void)[] = [];

  private constructor(
    private readonly path: string,
    private readonly known: Map<string, Person>,
    private readonly log: PeopleLog,
  ) {}

  /** Throws `StoreRefused`: a file that cannot be read must not be replaced by an empty one. */
  static open(path: string, log: PeopleLog): People {
    try {
      const { people } = JSON.parse(existsSync(path) ? readFileSync(path, 'utf8') : NOBODY) as {
        people: Record<string, Person>;
      };
      return new People(path, new Map(Object.entries(people)), log);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreRefused(`The names of people cannot be read from ${path}: ${why}`);
    }
  }

  /** Names what the views show, and forgets whom the log says to forget, whichever server was told. */
  follow(follower: LogFollower): void {
    const { directory } = follower.live;
    directory.people = this;
    for (const [id, erasedAt] of directory.sessions.erased()) {
      if ((this.known.get(id)?.seenAt ?? '9') <= erasedAt) void this.forget(id);
    }
    follower.onEvent(({ event, stream }) => {
      if (event.type === 'PersonErased') void this.forget(idInStream(stream));
    });
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  nameOf(id: string): string | undefined {
    const person = this.known.get(id);
    return person?.name ?? person?.email ?? undefined;
  }

  /** The id that somebody has had before: it stays, also when ids are made with another key. */
  idOf({ workspaceId, issuer, subject }: Identity): string | undefined {
    for (const [id, person] of this.known) {
      const { workspaceId: workspace, issuer: by, subject: who } = person;
      if (workspace === workspaceId && by === issuer && who === subject) return id;
    }
    return undefined;
  }

  keep(id: string, person: Person): Promise<void> {
    const before = this.nameOf(id);
    this.known.set(id, person);
    if (this.nameOf(id) !== before) this.tell();
    return this.write();
  }

  /** Resolves once it is gone from the disk too. */
  forget(id: string): Promise<void> {
    if (!this.known.delete(id)) return this.lastWrite;
    this.tell();
    return this.write();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  /** One after another. A name that could not be written is told again by the next sign-in. */
  private write(): Promise<void> {
    this.lastWrite = this.lastWrite.then(async () => {
      try {
        await replace(this.path, JSON.stringify({ people: Object.fromEntries(this.known) }, null, 1));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.log.warn({ error: { message } }, 'the names of people could not be written');
      }
    });
    return this.lastWrite;
  }
}

/**
 * Made with a key: with a plain hash, whoever has the log and a list of people could find out which of them are in it,
 * also after they were erased. Another one in each workspace, since nothing crosses from one to another.
 */
export function personIdOf(key: Uint8Array, { workspaceId, issuer, subject }: Identity): string {
  const mac = createHmac('sha256', key)
    .update(JSON.stringify([workspaceId, issuer, subject]))
    .digest();
  // A UUID of version 8, which is what RFC 9562 calls one of somebody's own making.
  mac[6] = ((mac[6] ?? 0) & 0x0f) | 0x80;
  mac[8] = ((mac[8] ?? 0) & 0x3f) | 0x80;
  return mac.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const NOBODY = '{"people":{}}';

/** Whoever reads it finds the old file or the new one, also after a crash. */
async function replace(path: string, text: string): Promise<void> {
  const besides = `${path}.new`;
  const file = await open(besides, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(besides, path);
}
