// What every event store must do. An adapter may opt out of a case only by naming it and saying why, and
// the reason shows up as the title of a skipped test.

import { randomUUID } from 'node:crypto';
import {
  AppendTooLarge,
  RevisionConflict,
  START,
  StoreUnavailable,
  type EventStore,
  type NewEvent,
  type Position,
  type StoredEvent,
  type Subscription,
} from '../../src/store/event-store.js';

export interface Adapter {
  readonly name: string;
  /** A store with an empty log. */
  open(): Promise<EventStore>;
  /** Another store on the log of one that has been closed; left out where nothing outlives a store. */
  reopen?(): Promise<EventStore>;
  /** Another store on the log of the one that was opened last, at the same time; left out where a log has one. */
  openSecond?(): Promise<EventStore>;
  /** A store on an empty log behind a connection that can be cut; left out where there is no connection. */
  openOverWire?(): Promise<{ readonly store: EventStore; readonly wire: Wire }>;
  readonly deviations?: Readonly<Record<string, string>>;
}

export interface Wire {
  /** Lets the next append through to the backend, and loses its answer together with the connection. */
  loseNextAnswer(): void;
  close(): Promise<void>;
}

export function eventStoreContract(adapter: Adapter): void {
  const { name, open, deviations = {} } = adapter;
  describe(`The ${name} event store`, () => {
    let store: EventStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const kept = new Set<string>();
    const promise = (title: string, check: () => Promise<void>): void => {
      kept.add(title);
      const reason = deviations[title];
      if (reason === undefined) it(title, check);
      else it.skip(`${title} (${reason})`, check);
    };

    appending(promise, () => store);
    reading(promise, () => store);
    following(promise, () => store);
    closing(promise, () => store, adapter);
    sharing(promise, () => store, adapter);
    losing(promise, adapter);

    it('opts out of cases only that are there', () => {
      expect(Object.keys(deviations).filter((title) => !kept.has(title))).toEqual([]);
    });
  });
}

type Case = (title: string, check: () => Promise<void>) => void;
type Opened = () => EventStore;

function appending(promise: Case, open: Opened): void {
  promise('creates a stream at revision 0 and answers where its last event stands', async () => {
    const appended = await open().append('s', [event(), event()], 'no-stream');
    const stored = await open().readStream('s');
    expect(stored.map(({ stream, revision }) => [stream, revision])).toEqual([
      ['s', 0],
      ['s', 1],
    ]);
    expect(appended).toEqual({ revision: 1, position: stored[1]?.position });
    expect(await open().head()).toBe(appended.position);
  });

  promise('refuses to create a stream that exists, and leaves it as it was', async () => {
    await open().append('s', [event()], 'no-stream');
    await refusedAt(0, open().append('s', [event()], 'no-stream'));
    expect(await open().readStream('s')).toHaveLength(1);
  });

  promise('refuses a stale revision, a future one, and any of a stream that does not exist', async () => {
    await open().append('s', [event(), event(), event()], 'no-stream');
    await refusedAt(2, open().append('s', [event()], 1));
    await refusedAt(2, open().append('s', [event()], 3));
    await refusedAt(null, open().append('other', [event()], 0));
    expect(await everything(open())).toHaveLength(3);
    await open().append('s', [event()], 2);
    expect(await everything(open())).toHaveLength(4);
  });

  promise('says what was expected and what is so', async () => {
    await open().append('s', [event()], 'no-stream');
    const error = await open()
      .append('s', [event()], 7)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'RevisionConflict', stream: 's', expected: 7, actual: 0 });
  });

  promise('lets exactly one of two racing writers through, every time', async () => {
    for (let round = 0; round < 20; round += 1) {
      const expected = round === 0 ? 'no-stream' : round - 1;
      const race = await Promise.allSettled(
        ['a', 'b'].map((type) => open().append('s', [event({ type })], expected)),
      );
      expect(race.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    }
    expect(await open().readStream('s')).toHaveLength(20);
  });

  promise('appends all events or none, whatever else is being appended', async () => {
    const standing = event();
    const follower = follow(open(), START);
    await open().append('s', [standing], 'no-stream');
    const outcomes = await Promise.allSettled([
      open().append('before', [event(), event()], 'no-stream'),
      open().append('s', [event(), event(), standing], 0),
      open().append('new', [event(), standing], 'no-stream'),
      open().append('after', [event(), event()], 'no-stream'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(await open().readStream('new')).toEqual([]);
    const log = await everything(open());
    expect(log.map(({ stream }) => stream)).toEqual(['s', 'before', 'before', 'after', 'after']);
    await open().append('s', [event()], 0);
    await open().append('new', [event()], 'no-stream');
    expect(follower.seen.map(place)).toEqual((await everything(open())).map(place));
  });

  promise('has an id once in the whole log', async () => {
    const [first, twice] = [event(), event()];
    await open().append('s', [first], 'no-stream');
    await expect(open().append('other', [first], 'no-stream')).rejects.toBeInstanceOf(RevisionConflict);
    await expect(open().append('s', [twice, twice], 0)).rejects.toBeInstanceOf(RevisionConflict);
    expect(await everything(open())).toHaveLength(1);
  });

  promise('answers a retry with the same ids again, with no second effect', async () => {
    const [created, moved] = [[event(), event()], [event()]];
    const first = await open().append('s', created, 'no-stream');
    expect(await open().append('s', created, 'no-stream')).toEqual(first);
    const second = await open().append('s', moved, 1);
    await open().append('s', [event()], 2);
    expect(await open().append('s', created, 'no-stream')).toEqual(first);
    expect(await open().append('s', moved, 1)).toEqual(second);
    expect(await open().readStream('s')).toHaveLength(4);
  });

  promise('answers a retry that overtakes its first attempt with one effect', async () => {
    const events = [event(), event()];
    const attempts = [1, 2, 3].map(() => open().append('s', events, 'no-stream'));
    const [first, ...others] = await Promise.all(attempts);
    for (const other of others) expect(other).toEqual(first);
    expect(await open().readStream('s')).toHaveLength(2);
  });

  promise('refuses a retry that holds only some of the same ids', async () => {
    const [a, b, c] = [event(), event(), event()];
    await open().append('s', [a, b], 'no-stream');
    await refusedAt(1, open().append('s', [a, c], 'no-stream'));
    await refusedAt(1, open().append('s', [c, b], 'no-stream'));
    await refusedAt(1, open().append('s', [b, a], 'no-stream'));
    await refusedAt(1, open().append('s', [a, b, c], 'no-stream'));
    await refusedAt(1, open().append('s', [a, b], 0));
    expect(await open().readStream('s')).toHaveLength(2);
  });

  promise('refuses an append without events, and one that expects no revision', async () => {
    await expect(open().append('s', [], 'no-stream')).rejects.toThrow('holds no event');
    await expect(open().append('s', [event()], -1)).rejects.toThrow('is no revision');
    await expect(open().append('s', [event()], 0.5)).rejects.toThrow('is no revision');
    expect(await open().readStream('s')).toEqual([]);
  });

  promise('refuses what has no UTF-8 form, and goes on', async () => {
    const halves = ['"\ud800"', '"\udc00\ud83d"', '{"a":"ж\ud83d"}'];
    for (const half of halves) {
      await expect(open().append('s', [event({ data: half })], 'no-stream')).rejects.toThrow('well-formed');
      await expect(open().append('s', [event({ meta: half })], 'no-stream')).rejects.toThrow('well-formed');
    }
    await expect(open().append('\ud800', [event()], 'no-stream')).rejects.toThrow('well-formed');
    const object = { ...event(), data: { a: 1 } } as unknown as NewEvent;
    await expect(open().append('s', [event(), object], 'no-stream')).rejects.toThrow('no text');
    await open().append('s', [event()], 'no-stream');
    expect(await everything(open())).toHaveLength(1);
  });

  promise('gives U+0000 back or refuses it before anything is appended, and goes on', async () => {
    const poisoned = [event(), event({ data: '"\0"' })];
    const refusal = await open()
      .append('s', poisoned, 'no-stream')
      .then(
        () => undefined,
        (error: unknown) => String(error),
      );
    if (refusal !== undefined) expect(refusal).toContain('U+0000');
    const log = await everything(open());
    expect(log.map(fact)).toEqual(refusal === undefined ? poisoned : []);
    await open().append('t', [event()], 'no-stream');
    expect(await everything(open())).toHaveLength(log.length + 1);
  });

  promise('refuses more bytes than it takes in one append, with the numbers', async () => {
    const { appendBytesMax } = open();
    const part = 'x'.repeat(1024 * 1024);
    const count = Math.ceil(appendBytesMax / part.length) + 1;
    const large = Array.from({ length: count }, () => event({ data: part }));
    const error = await open()
      .append('s', large, 'no-stream')
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AppendTooLarge);
    expect(error).toMatchObject({ bytesMax: appendBytesMax });
    expect((error as AppendTooLarge).bytes).toBeGreaterThan(appendBytesMax);
    expect(await open().readStream('s')).toEqual([]);
  });
}

function reading(promise: Case, open: Opened): void {
  promise('gives an event back byte for byte', async () => {
    const texts = [
      '{"b":1,"a":2,"b":3}',
      '{"n":12345678901234567890,"e":1e400,"f":1.10,"z":-0}',
      '{"k":"Zürich 東京 🚀 \u202e \u2028 e\u0301 é \ufeff \ufffd","esc":"\\u0000\\ud800"}',
      '  {"spaces" : [ ]}\n',
      JSON.stringify('ж🚀'.repeat(90_000)).padEnd(512 * 1024, ' '),
    ];
    const events = texts.map((text) => event({ type: 'Żółć', data: text, meta: `{"meta":${text}}` }));
    await open().append('stream ж/1', events, 'no-stream');
    const stored = [...(await pages(open(), 'stream ж/1'))];
    expect(stored.map(fact)).toEqual(events);
    expect(stored.map(({ stream }) => stream)).toEqual(texts.map(() => 'stream ж/1'));
    expect((await everything(open())).map(fact)).toEqual(events);
  });

  promise('finds nothing in a stream that does not exist, nor in an empty log', async () => {
    expect(await open().readStream('s')).toEqual([]);
    expect(await open().readStream('s', { direction: 'backwards' })).toEqual([]);
    expect(await open().readAll()).toEqual([]);
    expect(await open().head()).toBe(START);
  });

  promise('reads a stream from any revision, both ways, and no more than asked for', async () => {
    await open().append('other', [event()], 'no-stream');
    await open().append(
      's',
      Array.from({ length: 6 }, () => event()),
      'no-stream',
    );
    const revisions = async (options: Parameters<EventStore['readStream']>[1]) =>
      (await open().readStream('s', options)).map(({ revision }) => revision);
    expect(await revisions({})).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await revisions({ from: 4 })).toEqual([4, 5]);
    expect(await revisions({ from: 1, limit: 2 })).toEqual([1, 2]);
    expect(await revisions({ from: 6 })).toEqual([]);
    expect(await revisions({ direction: 'backwards' })).toEqual([5, 4, 3, 2, 1, 0]);
    expect(await revisions({ direction: 'backwards', limit: 1 })).toEqual([5]);
    expect(await revisions({ direction: 'backwards', from: 3, limit: 2 })).toEqual([3, 2]);
    expect(await revisions({ direction: 'backwards', from: 0 })).toEqual([0]);
    expect(await revisions({ direction: 'backwards', from: 99, limit: 1 })).toEqual([5]);
    await expect(open().readStream('s', { limit: 0 })).rejects.toThrow('the end of the log');
    await expect(open().readAll({ limit: 0 })).rejects.toThrow('the end of the log');
  });

  promise('gives the same log in pages of any size, from any place', async () => {
    for (let i = 0; i < 30; i += 1) {
      await open().append(
        `s${i % 4}`,
        [event(), event()].slice(i % 2),
        i < 4 ? 'no-stream' : await at(open(), `s${i % 4}`),
      );
    }
    const log = await everything(open());
    expect(log).toHaveLength(45);
    for (const limit of [1, 2, 7, 44, 45, 46, 5_000])
      expect(await everything(open(), START, limit)).toEqual(log);
    for (const [i, { position }] of log.entries()) {
      expect(await everything(open(), position, 10)).toEqual(log.slice(i + 1));
    }
    const end = log[log.length - 1]?.position ?? START;
    expect(await open().readAll({ after: end + 1_000n })).toEqual([]);
  });

  promise('gives a page of at most a thousand events, and all of them in several', async () => {
    const events = Array.from({ length: 2_500 }, () => event());
    await open().append('s', events, 'no-stream');
    expect((await open().readAll({ limit: 2_500 })).length).toBeLessThanOrEqual(1_000);
    expect((await open().readStream('s', { limit: 2_500 })).length).toBeLessThanOrEqual(1_000);
    expect((await pages(open(), 's')).map(fact)).toEqual(events);
    expect((await everything(open())).map(fact)).toEqual(events);
  });

  promise('reads what it has just appended', async () => {
    for (let i = 0; i < 50; i += 1) {
      const { position } = await open().append('s', [event()], i === 0 ? 'no-stream' : i - 1);
      const [newest] = await open().readStream('s', { direction: 'backwards', limit: 1 });
      expect([newest?.revision, newest?.position]).toEqual([i, position]);
      expect(await open().head()).toBe(position);
    }
  });
}

function following(promise: Case, open: Opened): void {
  promise('shows a live follower one order under parallel writers: no skip, no repeat', async () => {
    const live = follow(open(), START);
    const late: Following[] = [];
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; i < 60; i += 1) {
        const events = Array.from({ length: 1 + ((i + writer) % 3) }, () => event());
        await open().append(`writer-${writer}`, events, await at(open(), `writer-${writer}`));
        if (i % 20 === writer) late.push(follow(open(), START));
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(write));
    const log = await everything(open());
    expect(log).toHaveLength(8 * 120);
    expect(late).toHaveLength(24);
    for (const follower of [live, ...late]) {
      await until(() => follower.seen.length >= log.length);
      expect(follower.seen.map(place)).toEqual(log.map(place));
    }
    expect(log.every((entry, i) => i === 0 || entry.position > (log[i - 1] as StoredEvent).position)).toBe(
      true,
    );
  });

  promise('goes on from every checkpoint', async () => {
    for (let i = 0; i < 12; i += 1) await open().append(`s${i}`, [event(), event()], 'no-stream');
    const log = await everything(open());
    const checkpoints = [START, ...log.map(({ position }) => position)];
    const followers = checkpoints.map((after) => follow(open(), after));
    await open().append('last', [event()], 'no-stream');
    const whole = await everything(open());
    for (const [i, follower] of followers.entries()) {
      await until(() => follower.seen.length >= whole.length - i);
      expect(follower.seen.map(place)).toEqual(whole.slice(i).map(place));
    }
  });

  promise('delivers an own append before its promise resolves, with what was attached to it', async () => {
    const follower = follow(open(), START);
    for (let i = 0; i < 20; i += 1) {
      const decoded = { of: i };
      const attached = { ...event(), decoded };
      await open().append('s', [attached], i === 0 ? 'no-stream' : i - 1);
      expect(follower.seen).toHaveLength(i + 1);
      expect((follower.seen[i] as StoredEvent & { decoded?: unknown }).decoded).toBe(decoded);
    }
  });

  promise('never calls a slow subscriber twice at once, and skips nothing meanwhile', async () => {
    let inside = 0;
    let most = 0;
    const slow = follow(open(), START, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside -= 1;
    });
    const quick = follow(open(), START);
    for (let i = 0; i < 60; i += 1) await open().append(`s${i}`, [event()], 'no-stream');
    expect(quick.seen).toHaveLength(60);
    await until(() => slow.seen.length >= 60);
    expect(most).toBe(1);
    expect(slow.seen.map(place)).toEqual(quick.seen.map(place));
  });

  promise('never calls a subscriber again from within its own call', async () => {
    let inside = 0;
    let nested = 0;
    const appends: Promise<unknown>[] = [];
    const follower = follow(open(), START, (events) => {
      nested = Math.max(nested, ++inside);
      const revision = events[events.length - 1]?.revision ?? 0;
      if (revision < 5) appends.push(open().append('s', [event()], revision));
      inside -= 1;
    });
    await open().append('s', [event()], 'no-stream');
    await until(() => follower.seen.length >= 6);
    await Promise.all(appends);
    expect(nested).toBe(1);
    expect(follower.seen.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  promise(
    'takes a subscriber that lags further than memory goes back to the log, then on to live',
    async () => {
      let release = (): void => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const lagging = follow(open(), START, () => gate);
      await open().append('first', [event()], 'no-stream');
      for (let i = 0; i < 26; i += 1) {
        await open().append(
          `s${i}`,
          Array.from({ length: 1_000 }, () => event()),
          'no-stream',
        );
      }
      expect(lagging.seen.length).toBeLessThan(1_002);
      release();
      for (let i = 0; i < 26; i += 1) await open().append(`s${i}`, [event()], 999);
      const log = await everything(open());
      await until(() => lagging.seen.length >= log.length);
      expect(lagging.seen.map(place)).toEqual(log.map(place));
    },
  );

  promise('tells a subscriber that fails, and it alone, that it has ended', async () => {
    const failing = follow(open(), START, () => {
      throw new Error('cannot take this');
    });
    const rejecting = follow(open(), START, () => Promise.reject(new Error('nor this')));
    const sound = follow(open(), START);
    for (let i = 0; i < 3; i += 1) await open().append(`s${i}`, [event()], 'no-stream');
    await until(() => rejecting.errors.length > 0);
    expect(failing.errors).toEqual([new Error('cannot take this')]);
    expect(rejecting.errors).toEqual([new Error('nor this')]);
    expect([failing.seen.length, rejecting.seen.length, sound.seen.length]).toEqual([1, 1, 3]);
    expect(sound.errors).toEqual([]);
  });

  promise('delivers nothing more once a subscription is closed', async () => {
    const follower = follow(open(), START);
    await open().append('s', [event()], 'no-stream');
    await follower.subscription.close();
    await open().append('s', [event()], 0);
    await open().readAll();
    expect(follower.seen).toHaveLength(1);
    expect(follower.errors).toEqual([]);
  });

  promise('waits with the close of a subscription for the call that is running', async () => {
    let finish = (): void => undefined;
    let finished = false;
    const follower = follow(open(), START, async () => {
      await new Promise<void>((resolve) => (finish = resolve));
      finished = true;
    });
    await open().append('s', [event()], 'no-stream');
    const closed = follower.subscription.close().then(() => finished);
    finish();
    expect(await closed).toBe(true);
  });
}

function closing(promise: Case, open: Opened, { open: openAnother, reopen }: Adapter): void {
  promise('finishes running appends when it closes, and takes nothing on afterwards', async () => {
    const live = follow(open(), START);
    const running = Array.from({ length: 20 }, (_, i) => open().append(`s${i}`, [event()], 'no-stream'));
    const closed = open().close();
    expect((await Promise.allSettled(running)).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(live.seen).toHaveLength(20);
    await closed;
    await open().close();
    await expect(open().append('s', [event()], 'no-stream')).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(open().readStream('s')).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(open().readAll()).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(open().head()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(live.errors).toEqual([]);
  });

  promise('leaves nothing running behind when it is closed', async () => {
    const before = held();
    const other = await openAnother();
    await other.append('s', [event()], 'no-stream');
    await other.readAll();
    await other.close();
    await until(() => held() <= before);
  });

  if (reopen === undefined) return;
  promise('has everything again when it is opened again', async () => {
    const first = [event({ data: '{"n":"ж🚀"}' }), event()];
    const appended = await open().append('s', first, 'no-stream');
    const log = await everything(open());
    await open().close();
    const again = await reopen();
    try {
      expect(await everything(again)).toEqual(log);
      expect(await again.head()).toBe(appended.position);
      expect(await again.append('s', first, 'no-stream')).toEqual(appended);
      await refusedAt(1, again.append('s', [event()], 'no-stream'));
      await refusedAt(1, again.append('s', [event()], 0));
      const follower = follow(again, START);
      const next = await again.append('s', [event()], 1);
      expect(next.position > appended.position).toBe(true);
      await until(() => follower.seen.length >= 3);
      expect(follower.seen.map(({ revision }) => revision)).toEqual([0, 1, 2]);
    } finally {
      await again.close();
    }
  });
}

function sharing(promise: Case, open: Opened, { openSecond }: Adapter): void {
  if (openSecond === undefined) return;
  const withSecond = (title: string, check: (one: EventStore, other: EventStore) => Promise<void>): void =>
    promise(title, async () => {
      const other = await openSecond();
      try {
        await check(open(), other);
      } finally {
        await other.close();
      }
    });

  withSecond('shows two stores on one log the same order: no skip, no repeat', async (one, other) => {
    const followers = [one, other].map((store) => follow(store, START));
    const write = async (store: EventStore, stream: string): Promise<void> => {
      for (let i = 0; i < 40; i += 1) {
        await store.append(stream, [event(), event()], i === 0 ? 'no-stream' : 2 * i - 1);
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map((stream, i) => write(i % 2 === 0 ? one : other, stream)));
    followers.push(...[one, other].map((store) => follow(store, START)));
    const log = await everything(other);
    expect(log).toHaveLength(320);
    for (const follower of followers) {
      await until(() => follower.seen.length >= log.length);
      expect(follower.seen.map(place)).toEqual(log.map(place));
      expect(follower.errors).toEqual([]);
    }
  });

  withSecond('lets exactly one of two stores through, every time', async (one, other) => {
    for (let i = 0; i < 20; i += 1) {
      const expected = i === 0 ? 'no-stream' : i - 1;
      const race = await Promise.allSettled(
        [one, other].map((store) => store.append('s', [event()], expected)),
      );
      expect(race.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const refused = race.find((outcome) => outcome.status === 'rejected');
      expect(refused?.reason).toMatchObject({ name: 'RevisionConflict', actual: i });
    }
    expect(await other.readStream('s')).toHaveLength(20);
  });

  withSecond('answers a retry that comes to the other store with one effect', async (one, other) => {
    const events = [event(), event()];
    const first = await one.append('s', events, 'no-stream');
    expect(await other.append('s', events, 'no-stream')).toEqual(first);
    await expect(other.append('t', events.slice(1), 'no-stream')).rejects.toBeInstanceOf(RevisionConflict);
    expect(await everything(other)).toHaveLength(2);
  });

  withSecond('knows at once how far the other store has come, and delivers it soon', async (one, other) => {
    const follower = follow(other, START);
    for (let i = 0; i < 10; i += 1) {
      const { position } = await one.append('s', [event()], i === 0 ? 'no-stream' : i - 1);
      expect(await other.head()).toBe(position);
      await until(() => follower.seen.length > i);
    }
  });
}

function losing(promise: Case, { openOverWire }: Adapter): void {
  if (openOverWire === undefined) return;
  promise('appends once when the answer is lost on the way, and says so', async () => {
    const { store, wire } = await openOverWire();
    try {
      const follower = follow(store, START);
      await store.append('s', [event()], 'no-stream');
      const events = [event(), event()];
      wire.loseNextAnswer();
      const appended = await store.append('s', events, 0);
      expect(appended.revision).toBe(2);
      expect(follower.seen.map(({ id }) => id).slice(1)).toEqual(events.map(({ id }) => id));
      expect(await store.append('s', events, 0)).toEqual(appended);
      wire.loseNextAnswer();
      await refusedAt(2, store.append('s', [event()], 'no-stream'));
      await store.append('s', [event()], 2);
      const log = await everything(store);
      expect(log).toHaveLength(4);
      await until(() => follower.seen.length >= 4);
      expect(follower.seen.map(place)).toEqual(log.map(place));
    } finally {
      await store.close();
      await wire.close();
    }
  });
}

export interface Following {
  readonly seen: StoredEvent[];
  readonly errors: unknown[];
  readonly subscription: Subscription;
}

export function follow(
  store: EventStore,
  after: Position,
  onEvents: (events: readonly StoredEvent[]) => void | Promise<void> = () => undefined,
): Following {
  const seen: StoredEvent[] = [];
  const errors: unknown[] = [];
  const subscription = store.subscribe({
    after,
    onEvents(events) {
      seen.push(...events);
      return onEvents(events);
    },
    onError: (error) => void errors.push(error),
  });
  return { seen, errors, subscription };
}

export function event(parts: Partial<NewEvent> = {}): NewEvent {
  return { id: randomUUID(), type: 'VersionActivated', data: '{"n":1}', meta: '{"actor":"ana"}', ...parts };
}

/** The whole log after a position, in pages. */
export async function everything(
  store: EventStore,
  after: Position = START,
  limit?: number,
): Promise<StoredEvent[]> {
  const log: StoredEvent[] = [];
  for (let from = after; ;) {
    const page = await store.readAll({ after: from, ...(limit === undefined ? {} : { limit }) });
    const last = page[page.length - 1];
    if (last === undefined) return log;
    if (last.position <= from) throw new Error(`A page after ${from} ends at ${last.position}`);
    log.push(...page);
    from = last.position;
  }
}

async function pages(store: EventStore, stream: string): Promise<StoredEvent[]> {
  const history: StoredEvent[] = [];
  for (;;) {
    const page = await store.readStream(stream, { from: history.length });
    if (page.length === 0) return history;
    history.push(...page);
  }
}

async function at(store: EventStore, stream: string): Promise<number | 'no-stream'> {
  const [newest] = await store.readStream(stream, { direction: 'backwards', limit: 1 });
  return newest?.revision ?? 'no-stream';
}

async function refusedAt(actual: number | null, append: Promise<unknown>): Promise<void> {
  const error = await append.then(
    () => 'was appended',
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(RevisionConflict);
  expect((error as RevisionConflict).actual).toBe(actual);
}

/** How many sockets, threads and the like keep this process alive; timers come and go with the tests. */
function held(): number {
  return process.getActiveResourcesInfo().filter((kind) => !/Timeout|Immediate/.test(kind)).length;
}

/** Waits for a condition, for at most ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('It did not happen within ten seconds');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function fact({ id, type, data, meta }: StoredEvent): NewEvent {
  return { id, type, data, meta };
}

export function place({ position, stream, revision, id }: StoredEvent): string {
  return `${position} ${stream}@${revision} ${id}`;
}
