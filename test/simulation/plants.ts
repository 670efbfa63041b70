// Bugs that were planted, so that the rig can be believed: each one replaces a part of a server from outside, as a
// mistake in the engine or in a store would, and has to be found.
import type { Connection } from './connection.js';
import type { Engine } from './engine.js';
import type { Planting } from './server.js';
import type { SimulatedRows } from './rows.js';

/** What is wrong, and how it is brought about. */
export const PLANTS: readonly (readonly [string, Planting])[] = [
  ['a log that says yes before it has written, and loses it in a crash', { log: (log) => log.loseNewest() }],
  ['a store that writes at any revision', { connection: writeAnywhere }],
  ['a store that writes the first event of several', { connection: tear }],
  ['a follower that skips an event after a restart', { connection: skipOne }],
  ['a checkpoint that is ahead of its rows', { rows: forgetPlacements }],
  ['idempotency keys that are forgotten in a crash', { engine: keepKeysInMemory }],
  ['a promotion that is applied in part', { engine: applyInPart }],
  ['a rollback that toggles', { engine: toggle }],
  ['a release that is made whatever was pinned', { engine: ignorePins }],
  ['an answer before the views have what it speaks of', { engine: answerEarly }],
  ['a default environment that falls back silently', { engine: fallBack }],
  [
    'an unknown outcome that is called a failure',
    { answer: (answer) => (answer.kind === 'unknown' ? { kind: 'unavailable' } : answer) },
  ],
];

function writeAnywhere(connection: Connection): void {
  const write = connection.write.bind(connection);
  connection.write = (stream, events) => {
    const newest = connection.log.stream(stream).length - 1;
    return write(stream, events, newest < 0 ? 'no-stream' : newest);
  };
}

function tear(connection: Connection): void {
  const write = connection.write.bind(connection);
  connection.write = (stream, events, expected) => write(stream, events.slice(0, 1), expected);
}

function skipOne(connection: Connection): void {
  const subscribe = connection.subscribe.bind(connection);
  connection.subscribe = (subscriber) => {
    const [next] = connection.log.after(subscriber.after, 1);
    return subscribe(subscriber.after === 0n || !next ? subscriber : { ...subscriber, after: next.position });
  };
}

function forgetPlacements({ database }: SimulatedRows): void {
  database.exec('DELETE FROM placements');
}

function keepKeysInMemory({ follower }: Engine): void {
  const heard = new Set<string>();
  follower.onEvent(({ idempotencyKey }) => heard.add(idempotencyKey ?? ''));
  const effectOf = follower.effectOf.bind(follower);
  follower.effectOf = (owner, key) => (heard.has(key) ? effectOf(owner, key) : undefined);
}

function applyInPart({ follower: { live } }: Engine): void {
  const take = live.activeVersions.take.bind(live.activeVersions);
  live.activeVersions.take = (event, recorded) => {
    const isPart = event.type === 'VersionsPromoted' && event.changes.length > 1;
    take(isPart ? { ...event, changes: event.changes.slice(1) } : event, recorded);
  };
}

function toggle({ follower: { live } }: Engine): void {
  const take = live.activeVersions.take.bind(live.activeVersions);
  live.activeVersions.take = (event, recorded) => {
    take(event.type === 'EnvironmentRolledBack' ? { ...event, inEffect: event.release } : event, recorded);
  };
}

function ignorePins(engine: Engine): void {
  const execute = engine.execute.bind(engine);
  engine.execute = (caller, operation) => {
    return execute(
      caller,
      'expectedRelease' in operation ? { ...operation, expectedRelease: null } : operation,
    );
  };
}

function answerEarly({ follower: { live } }: Engine): void {
  live.progress.reached = () => Promise.resolve();
}

function fallBack({ follower: { live } }: Engine): void {
  const resolve = live.resolution.resolve.bind(live.resolution);
  live.resolution.resolve = (project, flow, asked) => {
    try {
      return resolve(project, flow, asked);
    } catch (error) {
      if (asked !== undefined || project.state.defaultEnvironment === null) throw error;
      return resolve({ ...project, state: { ...project.state, defaultEnvironment: null } }, flow, asked);
    }
  };
}
