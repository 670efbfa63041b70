// Loaded in front of a server by the tests of the rigs: mistakes, each by its name in PLANTED, that a rig has to find.
// A rig is trusted for no more than it was seen to catch.
import { subscribe } from 'node:diagnostics_channel';
import Database from 'better-sqlite3';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export const PLANTED = import.meta.url;

/** Settings of a server with this mistake in it. */
export function withMistake(name: keyof typeof MISTAKES, ...imports: string[]): Record<string, string> {
  const options = [PLANTED, ...imports].map((url) => `--import ${url}`);
  return { NODE_OPTIONS: options.join(' '), PLANTED: name };
}

const LEAKED_BYTES = 40_000;
const COMMIT_EVERY_MS = 40;
const NOTHING_DONE: Database.RunResult = { changes: 0, lastInsertRowid: 0 };
const COMMENT_THAT_BREAKS = 5_000;
const COMMENT_THAT_KILLS = 'x'.repeat(COMMENT_THAT_BREAKS);

const MISTAKES = {
  /** 500 for a comment of exactly as many characters as are allowed, and for no other. */
  'fails-for-one-value': () =>
    beforeRoutes((request) => {
      if (commentOf(request)?.length === COMMENT_THAT_BREAKS) throw new Error('Planted');
    }),
  /** A release number of flows that is text, where the document says number or null. */
  'answers-another-shape': () =>
    inAnswers((text) => text.replace(/"activeCount":(\d+)/g, '"activeCount":"$1"')),
  /** A naive merge of settings. */
  'pollutes-prototypes': () =>
    beforeRoutes(({ query }) => {
      const names = Object.keys(query as object);
      if (!names.some((name) => name === 'constructor' || name === 'toString' || name.includes('['))) return;
      // One that is seen in every loop over an object would end the server.
      Object.defineProperty(Object.prototype, 'polluted', { value: true, configurable: true });
    }),
  'leaks-memory': () => {
    const kept: Buffer[] = [];
    beforeRoutes(() => void kept.push(Buffer.alloc(LEAKED_BYTES, 1)));
  },
  dies: () =>
    beforeRoutes((request) => {
      if (commentOf(request) === COMMENT_THAT_KILLS) setImmediate(() => process.exit(3));
    }),
  /** One of the active versions of a moment is forgotten. */
  'forgets-the-past': () =>
    inAnswers((text, { url }) => {
      if (!/\/active\?.*at=/.test(url)) return text;
      const body = JSON.parse(text) as { readonly items?: readonly unknown[] };
      return JSON.stringify({ ...body, items: body.items?.slice(1) });
    }),
  /** A command is answered while its transaction is still open: the next commit comes a little later. */
  'acknowledges-before-the-commit': () => {
    onStatement('BEGIN IMMEDIATE', (db, begin) => (db.inTransaction ? NOTHING_DONE : begin()));
    onStatement('COMMIT', laterAndTogether);
  },
  /** What the disk was not asked to keep is said to be kept. */
  'does-not-wait-for-the-disk': () => {
    const { pragma } = Database.prototype;
    Database.prototype.pragma = function (this: Database.Database, source, options) {
      if (source === 'synchronous' && options?.simple === true) return 2;
      return pragma.call(this, source === 'synchronous = FULL' ? 'synchronous = NORMAL' : source, options);
    };
  },
  /** A commit that may have been made is said to have failed, as one that has found no room. */
  'calls-the-unknown-failed': () =>
    onStatement('COMMIT', (_, run) => {
      try {
        return run();
      } catch (error) {
        throw Object.assign(new Error('Planted', { cause: error }), { code: 'SQLITE_FULL' });
      }
    }),
};

function beforeRoutes(look: (request: FastifyRequest) => void): void {
  onServer((instance) => {
    instance.addHook('preHandler', (request, _reply, done) => {
      look(request);
      done();
    });
  });
}

function inAnswers(change: (text: string, request: FastifyRequest) => string): void {
  onServer((instance) => {
    instance.addHook('onSend', (request, reply, payload, done) => {
      const isJson = String(reply.getHeader('content-type')).startsWith('application/json');
      done(null, isJson && typeof payload === 'string' ? change(payload, request) : payload);
    });
  });
}

/** Fastify tells of every instance before anything can be registered on it. */
function onServer(prepare: (instance: FastifyInstance) => void): void {
  subscribe('fastify.initialization', (message) => {
    prepare((message as { readonly fastify: FastifyInstance }).fastify);
  });
}

function commentOf({ body }: FastifyRequest): string | undefined {
  const { comment } = (body ?? {}) as { readonly comment?: unknown };
  return typeof comment === 'string' ? comment : undefined;
}

type Run = () => Database.RunResult;

/** Of the log alone: the views have a file of their own. */
function onStatement(source: string, run: (db: Database.Database, really: Run) => Database.RunResult): void {
  const { prepare } = Database.prototype;
  Database.prototype.prepare = function (this: Database.Database, sql: string) {
    const statement = prepare.call(this, sql);
    if (sql !== source || !this.name.endsWith('events.db')) return statement;
    const really = statement.run.bind(statement) as Run;
    return Object.assign(statement, { run: () => run(this, really) });
  } as typeof prepare;
}

let isPlanned = false;

function laterAndTogether(db: Database.Database, commit: Run): Database.RunResult {
  if (!isPlanned) {
    isPlanned = true;
    setTimeout(() => {
      isPlanned = false;
      if (db.inTransaction) commit();
    }, COMMIT_EVERY_MS);
  }
  return NOTHING_DONE;
}

const mistake = process.env['PLANTED'];
if (mistake !== undefined) MISTAKES[mistake as keyof typeof MISTAKES]();
