// How many requests one key, one workspace and one address may send: the bucket alone, and all of it on real servers.
import { array, assert, integer, property } from 'fast-check';
import { RateLimit } from '../../src/api/rate-limit.js';
import { countedAs } from '../../src/api/source-address.js';
import { good, Http, problemOf, type Answer } from '../support/http.js';
import { ServerProcess, ADMIN_KEY, serversOfSuite } from '../support/server-process.js';

describe('A bucket', () => {
  /** Not a whole number of milliseconds each. */
  const PER_SECOND = 3;
  const WINDOW_SECONDS = 5;
  const QUOTA = PER_SECOND * WINDOW_SECONDS;

  const limit = new RateLimit('key', PER_SECOND, WINDOW_SECONDS);
  let subjects = 0;

  /** Counts tokens as one would by hand: they come back one by one, and no more than fit are kept. */
  class CountedTokens {
    private tokens = QUOTA;
    private at = 0;

    take(nowMs: number): boolean {
      this.tokens = Math.min(QUOTA, this.tokens + ((nowMs - this.at) * PER_SECOND) / 1000);
      this.at = nowMs;
      if (this.tokens < 1 - 1e-6) return false;
      this.tokens -= 1;
      return true;
    }
  }

  it('gives as many as one that is counted by hand, whenever it is asked', () => {
    const pauses = array(integer({ min: 0, max: 1_500 }), { minLength: 50, maxLength: 400 });
    assert(
      property(pauses, (given) => {
        const subject = String((subjects += 1));
        const counted = new CountedTokens();
        let nowMs = 0;
        for (const pause of given) {
          nowMs += pause % 3 === 0 ? pause : 0;
          expect(limit.take(limit.bucketOf(subject, nowMs), nowMs) === 0).toBe(counted.take(nowMs));
        }
      }),
    );
  });

  it('says how long to wait, and then gives one and no more', () => {
    const bucket = limit.bucketOf('waits', 0);
    const { refused } = limit;
    for (let taken = 0; taken < QUOTA; taken += 1) expect(limit.take(bucket, 0)).toBe(0);
    const waitMs = limit.take(bucket, 0);
    expect(waitMs).toBeCloseTo(1000 / PER_SECOND);
    expect(limit.take(bucket, waitMs - 1)).toBeGreaterThan(0);
    expect(limit.take(bucket, waitMs)).toBe(0);
    expect(limit.take(bucket, waitMs)).toBeGreaterThan(0);
    expect(limit.refused - refused).toBe(3);
  });

  it('gives all of its quota at once, at whatever moment', () => {
    for (let nowMs = 1; nowMs < 1e9; nowMs *= 1.07) {
      const bucket = limit.bucketOf(`at ${nowMs}`, nowMs);
      const waits = Array.from({ length: QUOTA }, () => limit.take(bucket, nowMs));
      expect({ nowMs, waits }).toEqual({ nowMs, waits: waits.map(() => 0) });
    }
  });

  it('tells what is left, never more than there is', () => {
    const wide = new RateLimit('key', 100, 10);
    const bucket = wide.bucketOf('a', 0);
    for (let left = 1_000; left > 0; left -= 1) {
      const lines = wide.linesFor(bucket, 0);
      const [, remaining, seconds] = /^ratelimit: "key";r=(\d+);t=(\d+)\r$/m.exec(lines) ?? [];
      expect(lines).toContain('ratelimit-policy: "key";q=1000;w=10\r\n');
      expect(Number(remaining)).toBeLessThanOrEqual(left);
      expect(Number(remaining)).toBeGreaterThan(left - 11);
      expect(Number(seconds)).toBe(Math.ceil((1_000 - Number(remaining)) / 100));
      wide.take(bucket, 0);
    }
  });

  it('is forgotten once there are very many others, so that strangers cannot fill the memory', () => {
    const narrow = new RateLimit('address', 1, 1);
    const take = () => narrow.take(narrow.bucketOf('first', 0), 0);
    take();
    for (let other = 0; other < 49_999; other += 1) narrow.bucketOf(String(other), 0);
    expect(take()).toBeGreaterThan(0);
    for (let other = 0; other < 50_000; other += 1) narrow.bucketOf(String(other), 0);
    expect(take()).toBe(0);
  });
});

describe('An address counts', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
    ['2001:DB8:0001:0002::6', '2001:db8:1:2::'],
    ['2001:db8::', '2001:db8:0:0::'],
    ['::1', '0:0:0:0::'],
    ['fe80::1%eth0', 'fe80:0:0:0::'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::'],
    ['1:2:3:4:5:6:192.0.2.33', '1:2:3:4::'],
  ])('%s as %s', (address, counted) => {
    expect(countedAs(address)).toBe(counted);
  });
});

describe('A server', () => {
  const suite = serversOfSuite();
  const PATH = '/api/v1/environments';

  async function started(limits: Record<string, number>): Promise<{ server: ServerProcess; http: Http }> {
    const settings = Object.entries(limits).map(([name, rate]) => [
      `SWITCHYARD_RATE_LIMIT_${name}`,
      String(rate),
    ]);
    const server = await ServerProcess.start(
      suite.newFolder(),
      Object.fromEntries(settings) as Record<string, string>,
    );
    return { server: suite.kept(server), http: new Http(server.url, ADMIN_KEY) };
  }

  async function keyOf(http: Http, name: string): Promise<Http> {
    const { key } = await good(http.post<{ key: string }>('/keys', { name, grants: [{ role: 'viewer' }] }));
    return new Http(http.url, key);
  }

  /** How many of so many sent at once were answered, and one of those that were refused. */
  async function burst(
    send: () => Promise<Answer>,
    count: number,
  ): Promise<{ good: number; refusal?: Answer }> {
    const answers: Answer[] = [];
    for (let sent = 0; sent < count; sent += 25) {
      answers.push(...(await Promise.all(Array.from({ length: 25 }, send))));
    }
    const refusal = answers.find(({ status }) => status === 429);
    return { good: answers.filter(({ status }) => status === 200).length, ...(refusal && { refusal }) };
  }

  it('refuses a key that asks too often, tells when to come back, and answers the other keys', async () => {
    const { http } = await started({ KEY: 10 });
    const one = await keyOf(http, 'one');
    const began = performance.now();
    const { good: answered, refusal } = await burst(() => one.send('GET', PATH), 250);
    const seconds = (performance.now() - began) / 1000;
    expect(answered).toBeGreaterThanOrEqual(100);
    expect(answered).toBeLessThanOrEqual(101 + 10 * seconds);
    if (refusal === undefined) throw new Error('Nothing was refused');
    expect(problemOf(refusal)).toMatchObject({ status: 429, code: 'rate-limited' });
    expect(Object.fromEntries(refusal.headers)).toMatchObject({
      'retry-after': '1',
      'ratelimit-policy': '"key";q=100;w=10',
      ratelimit: '"key";r=0;t=10',
    });
    const other = await (await keyOf(http, 'other')).send('GET', PATH);
    expect(other.status).toBe(200);
    expect(other.headers.get('ratelimit')).toBe('"key";r=99;t=1');
    const metrics = await http.send('GET', '/metrics');
    const counted = /^switchyard_rate_limited_total\{limit="key"\} (\d+)$/m.exec(metrics.text)?.[1];
    expect(Number(counted)).toBe(250 - answered);
  });

  it('counts what a key is denied as well, and what it asks for in vain', async () => {
    const { http } = await started({ KEY: 5 });
    const viewer = await keyOf(http, 'viewer');
    const denied = await burst(() => viewer.post('/flows', { name: 'not allowed' }), 150);
    const lost = await keyOf(http, 'lost');
    const inVain = await burst(() => lost.get('/projects/nowhere/flows'), 150);
    for (const { refusal } of [denied, inVain]) {
      expect(refusal?.headers.get('ratelimit-policy')).toBe('"key";q=50;w=10');
    }
  });

  it('refuses a key that signs in again and again, and its workspace no other key', async () => {
    const { http } = await started({ KEY: 1_000 });
    const [one, other] = [await keyOf(http, 'one'), await keyOf(http, 'other')];
    const signIn = ({ key }: Http) => http.post('/session', { key }, { origin: http.url });
    const first = await signIn(one);
    expect([first.status, first.headers.get('ratelimit')]).toEqual([201, '"sign-in";r=58;t=2']);
    const { refusal } = await burst(() => signIn(one), 75);
    expect(refusal && problemOf(refusal).code).toBe('rate-limited');
    expect(refusal?.headers.get('ratelimit-policy')).toBe('"sign-in";q=60;w=60');
    expect((await signIn(other)).status).toBe(201);
    const opened = await good(http.get<{ items: object[] }>('/audit?type=SessionOpened&limit=500'));
    expect(opened.items.length).toBeGreaterThanOrEqual(61);
    expect(opened.items.length).toBeLessThan(70);
  });

  it.each([
    ['KEY', '"key";q=10;w=10'],
    ['WORKSPACE', '"workspace";q=10;w=10'],
  ])('counts a sign-in with a key as a request of the %s', async (name, policy) => {
    const { http } = await started({ KEY: 1_000, [name]: 1 });
    const signIn = () => http.post('/session', { key: ADMIN_KEY }, { origin: http.url });
    const { refusal } = await burst(signIn, 25);
    expect(refusal?.headers.get('ratelimit-policy')).toBe(policy);
    expect((await http.send('GET', PATH)).status).toBe(429);
  });

  it('refuses the keys of a workspace together, and answers another workspace every time meanwhile', async () => {
    const { http } = await started({ WORKSPACE: 30 });
    const { key } = await good(http.post<{ key: string }>('/workspaces', { name: 'Noisy' }));
    const noisy = new Http(http.url, key);
    const keys = [noisy, await keyOf(noisy, 'one'), await keyOf(noisy, 'two')];
    let next = 0;
    let isNoisy = true;
    const noise = burst(() => (keys[(next += 1) % keys.length] ?? noisy).send('GET', PATH), 1_000).finally(
      () => (isNoisy = false),
    );
    const quiet: number[] = [];
    while (isNoisy && quiet.length < 200) quiet.push((await http.send('GET', PATH)).status);
    const { good: answered, refusal } = await noise;
    expect(refusal?.headers.get('ratelimit-policy')).toBe('"workspace";q=300;w=10');
    expect(answered).toBeLessThan(900);
    expect(quiet.length).toBeGreaterThan(5);
    expect(new Set(quiet)).toEqual(new Set([200]));
  });

  it('soon refuses an address without a key that works, and still takes one that does', async () => {
    const { http, server } = await started({ UNAUTHORIZED: 1 });
    const guesses = new Http(server.url, 'a-key-that-never-was');
    const answers: Answer[] = [];
    for (let guess = 0; guess < 70; guess += 1) answers.push(await guesses.send('GET', PATH));
    const unauthorized = answers.filter(({ status }) => status === 401).length;
    expect(unauthorized).toBeGreaterThanOrEqual(60);
    expect(unauthorized).toBeLessThan(70);
    const last = answers.at(-1);
    if (last === undefined) throw new Error('Nothing was answered');
    expect(problemOf(last).code).toBe('rate-limited');
    expect(last.headers.get('ratelimit-policy')).toBe('"unauthorized";q=60;w=60');
    expect((await http.send('GET', PATH)).status).toBe(200);
    expect((await guesses.send('GET', '/health/live')).status).toBe(200);
  });

  it('refuses an address that asks too often with whatever key, and never a look at its health', async () => {
    const { http } = await started({ ADDRESS: 10 });
    const { refusal } = await burst(() => http.send('GET', PATH), 250);
    expect(refusal?.headers.get('ratelimit-policy')).toBe('"address";q=100;w=10');
    for (const path of ['/health/live', '/health/ready']) {
      expect((await burst(() => http.send('GET', path), 125)).good).toBe(125);
    }
  });

  it.each([
    ['beside the two looks at health', '/health/x'],
    ['for a path that is no URL', '/api/v1/flows/%'],
    ['for a path with too long a part', `/api/v1/flows/${'a'.repeat(129)}`],
  ])('counts a request %s as one of its address, and then refuses it', async (_, path) => {
    const { http } = await started({ ADDRESS: 2 });
    const { refusal } = await burst(() => http.send('GET', path), 75);
    expect(refusal && problemOf(refusal).code).toBe('rate-limited');
    expect(refusal?.headers.get('ratelimit-policy')).toBe('"address";q=20;w=10');
  });

  it('refuses nobody where the limits are off', async () => {
    const { http } = await started({ ADDRESS: 0, KEY: 0, WORKSPACE: 0, UNAUTHORIZED: 0 });
    const answer = await http.send('GET', PATH);
    expect(answer.headers.has('ratelimit')).toBe(false);
    const guesses = new Http(http.url, 'a-key-that-never-was');
    const { refusal } = await burst(() => guesses.send('GET', PATH), 500);
    expect(refusal).toBeUndefined();
  });
});
