// The signed record over HTTP, on a real server: checkpoints, proofs and receipts that anybody can check, and a log
// that comes back shorter, or different, is noticed, fenced, and taken into service by an operator alone.
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openNote, parseNote, PublicKey } from '../../src/audit/checkpoint.js';
import { parseLeaf } from '../../src/audit/leaf.js';
import { leafHash, verifyConsistency, verifyInclusion } from '../../src/audit/merkle.js';
import type { ConsistencyAnswer, InclusionAnswer, SigningKeysAnswer } from '../../src/api/record.dto.js';
import type { Changed } from '../../scripts/client.js';
import { run } from '../support/command-line.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

const suite = serversOfSuite();
const base64 = (text: string) => Buffer.from(text, 'base64');

async function open(folder: string, settings = {}): Promise<{ server: ServerProcess; http: Http }> {
  const server = suite.kept(await ServerProcess.start(folder, settings));
  return { server, http: new Http(server.url, ADMIN_KEY) };
}

function leavesOf(folder: string): { type: string; data: string }[] {
  const database = new Database(join(folder, 'events.db'), { readonly: true });
  try {
    return database.prepare('SELECT type, data FROM events').all() as { type: string; data: string }[];
  } finally {
    database.close();
  }
}

async function twoEnvironments(http: Http): Promise<void> {
  for (const name of ['staging', 'production']) await good(http.post('/environments', { name }));
  await good(http.post('/flows', { name: 'bot', kind: 'agent', content: { prompt: 'Hello' } }));
  await good(http.post('/flows/bot/versions/1/environments', { environment: 'staging' }));
}

async function promoted(http: Http): Promise<Changed> {
  const body = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
  return good(http.post<Changed>('/environments/promote', body));
}

async function checkpoint(http: Http) {
  const { text, headers } = await http.get('/audit/checkpoint');
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
  const note = parseNote(text);
  if (note === undefined) throw new Error(`No signed note: ${text}`);
  const body = await good(http.get<SigningKeysAnswer>('/audit/keys'));
  const keys = body.items.flatMap(({ publicKey }) => PublicKey.parse(publicKey) ?? []);
  expect(openNote(note, keys)).toEqual(note.checkpoint);
  return { ...note.checkpoint, note: text };
}

describe('The signed record', () => {
  let folder: string;
  let server: ServerProcess;
  let http: Http;

  beforeAll(async () => {
    folder = suite.newFolder();
    ({ server, http } = await open(folder));
    await twoEnvironments(http);
  });

  it('gives every promotion and every rollback a receipt, which anybody can check', async () => {
    const { receipt, position } = await promoted(http);
    expect(receipt).toBe(`/api/v1/audit/proof/inclusion?position=${position}`);
    const proof = await good(http.send<InclusionAnswer>('GET', receipt ?? ''));
    const { leaf, index, size, root, proof: hashes } = proof;
    const included = {
      index,
      size,
      leaf: leafHash(base64(leaf)),
      root: base64(root),
      proof: hashes.map(base64),
    };
    expect(verifyInclusion(included)).toBe(true);
    expect(parseLeaf(base64(leaf))).toMatchObject({ type: 'VersionsPromoted', index });
    expect(parseNote(proof.checkpoint)?.checkpoint).toMatchObject({ size, root: base64(root) });
    const back = await good(
      http.post<{ receipt: string }>('/environments/production/rollback', { toRelease: 0 }),
    );
    const again = await good(http.send<InclusionAnswer>('GET', back.receipt));
    expect(parseLeaf(base64(again.leaf))?.type).toBe('EnvironmentRolledBack');
  });

  it('gives none where nothing was changed', async () => {
    const body = { sourceEnvironment: 'staging', targetEnvironment: 'production', dryRun: true };
    expect(await good(http.post<Changed>('/environments/promote', body))).toMatchObject({
      changed: true,
      receipt: null,
    });
  });

  it('proves that each checkpoint is the beginning of every later one', async () => {
    const older = await checkpoint(http);
    await good(http.post('/flows', { name: 'another', content: {} }));
    const newer = await checkpoint(http);
    expect(newer.size).toBeGreaterThan(older.size);
    const path = `/audit/proof/consistency?from=${older.size}&to=${newer.size}`;
    const body = await good(http.get<ConsistencyAnswer>(path));
    const consistency = {
      ...{ from: older.size, to: newer.size, proof: body.proof.map(base64) },
      ...{ fromRoot: older.root, toRoot: newer.root },
    };
    expect(verifyConsistency(consistency)).toBe(true);
    expect([base64(body.fromRoot), base64(body.toRoot)]).toEqual([older.root, newer.root]);
  });

  it('signs nothing twice while nothing has changed', async () => {
    const { note } = await checkpoint(http);
    expect((await checkpoint(http)).note).toBe(note);
  });

  it.each([
    ['/audit/proof/inclusion?position=999999', 404, 'position-not-found'],
    ['/audit/proof/inclusion?position=0', 404, 'position-not-found'],
    ['/audit/proof/inclusion?position=x', 400, 'invalid-query'],
    ['/audit/proof/inclusion', 400, 'invalid-query'],
    ['/audit/proof/consistency?from=5&to=4', 400, 'invalid-query'],
    ['/audit/proof/consistency?from=0&to=99999', 400, 'invalid-query'],
    ['/audit/proof/consistency', 400, 'invalid-query'],
    ['/audit/checkpoint?size=3', 400, 'invalid-query'],
  ])('refuses %s with %d %s', async (path, status, code) => {
    const answer = await http.get<{ code: string }>(path);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('goes on over a restart, with the same tree and the same key', async () => {
    const before = await checkpoint(http);
    await server.kill('SIGTERM');
    for (const file of ['views.db']) rmSync(join(folder, file));
    ({ server, http } = await open(folder));
    const after = await checkpoint(http);
    expect([after.size, after.root, after.origin]).toEqual([before.size, before.root, before.origin]);
  });

  it('keeps the key where only its owner can read it', () => {
    expect(statSync(join(folder, 'signing.key')).mode & 0o777).toBe(0o600);
  });

  it('announces a new key beside the old one, whose notes stay valid', async () => {
    const before = await checkpoint(http);
    await server.kill('SIGTERM');
    rmSync(join(folder, 'signing.key'));
    ({ server, http } = await open(folder));
    const after = await checkpoint(http);
    const { items } = await good(http.get<SigningKeysAnswer>('/audit/keys'));
    expect(items.map(({ isCurrent }) => isCurrent)).toEqual([false, true]);
    expect(after.size).toBeGreaterThan(before.size);
    const [old] = items.map(({ publicKey }) => PublicKey.parse(publicKey));
    const note = parseNote(before.note);
    expect(note && old && openNote(note, [old])).toEqual(note?.checkpoint);
  });

  it('sends every checkpoint to a file elsewhere', async () => {
    const elsewhere = suite.newFolder();
    const copy = join(elsewhere, 'notes.txt');
    const another = await open(suite.newFolder(), { SWITCHYARD_CHECKPOINT_SINK: `file:${copy}` });
    const { note } = await checkpoint(another.http);
    await until(() => existsSync(copy) && readFileSync(copy, 'utf8') === `${note}\n`);
  });
});

describe('A log that is not what it was', () => {
  interface Ready {
    readonly failures: readonly string[];
  }

  /** A stopped server with some history, of which a backup was made half-way. */
  async function withBackup() {
    const folder = suite.newFolder();
    const log = join(folder, 'events.db');
    const backup = join(folder, 'backup.db');
    let { server, http } = await open(folder);
    await twoEnvironments(http);
    await server.kill('SIGTERM');
    copyFileSync(log, backup);
    ({ server, http } = await open(folder));
    await promoted(http);
    const body = await good(http.post<{ position: string }>('/flows', { name: 'lost', content: {} }));
    const signed = await checkpoint(http);
    await server.kill('SIGTERM');
    const restore = () => copyFileSync(backup, log);
    return { folder, log, signed, restore, lastPosition: Number(body.position) };
  }

  async function expectFenced(http: Http, reason: RegExp): Promise<void> {
    const ready = await http.send<Ready>('GET', '/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.body.failures.join(' ')).toMatch(reason);
    const refused = await http.post<{ code: string; detail: string }>('/environments', { name: 'more' });
    expect([refused.status, refused.body.code]).toEqual([503, 'log-fenced']);
    expect(refused.body.detail).toMatch(reason);
    expect((await http.get('/environments')).status).toBe(200);
    expect((await http.get<{ code: string }>('/audit/checkpoint')).body.code).toBe('log-fenced');
  }

  it('because an older backup was restored takes no commands, and names what is missing', async () => {
    const { folder, restore, lastPosition } = await withBackup();
    restore();
    const { http } = await open(folder);
    const { body } = await http.send<{ position: string }>('GET', '/health/ready');
    const missing = `from ${Number(body.position) + 1} on to ${lastPosition}`;
    await expectFenced(http, new RegExp(`shorter than it was.*${missing}`));
  });

  it('is taken into service by an operator alone, who says why; a new epoch tells of it for ever', async () => {
    const { folder, restore, signed } = await withBackup();
    restore();
    const settings = { SWITCHYARD_DATA: folder };
    const looked = await run(['accept-restored'], settings);
    expect([looked.code, looked.stdout]).toEqual([2, expect.stringContaining('shorter than it was')]);
    const accepted = await run(['accept-restored', '--comment', 'The disk was lost', '--json'], settings);
    expect(accepted.code).toBe(0);
    expect(JSON.parse(accepted.stdout)).toMatchObject({ accepted: true, losses: [{ kind: 'shorter' }] });
    const { http } = await open(folder);
    expect((await http.send('GET', '/health/ready')).status).toBe(200);
    await promoted(http);
    const now = await checkpoint(http);
    expect(now.origin).toBe(signed.origin.replace('/e1', '/e2'));
    const told = leavesOf(folder).find(({ type }) => type === 'LogRestored');
    expect(JSON.parse(told?.data ?? '{}')).toMatchObject({
      ...{ epoch: 2, known: signed.size, checkpoint: signed.note, comment: 'The disk was lost' },
    });
  });

  it('because it is gone is not begun anew', async () => {
    const { folder, log } = await withBackup();
    for (const suffix of ['', '-wal', '-shm']) rmSync(log + suffix, { force: true });
    const { server, http } = await open(folder);
    expect((await http.send<Ready>('GET', '/health/ready')).body.failures.join(' ')).toMatch(/from 1 on to/);
    await server.kill('SIGTERM');
  });

  it('because an old event was changed is noticed, although the views remember it as it was', async () => {
    const { folder, log } = await withBackup();
    const database = new Database(log);
    const changed = database.prepare(`UPDATE events SET data = replace(data, 'bot', 'b0t') WHERE type = ?`);
    expect(changed.run('FlowCreated').changes).toBeGreaterThan(0);
    database.close();
    const { http } = await open(folder);
    await until(async () => (await http.send('GET', '/health/ready')).status === 503);
    await expectFenced(http, /is different/);
  });

  it('because its last event was changed is noticed before the first request', async () => {
    const { folder, log } = await withBackup();
    const database = new Database(log);
    database
      .prepare(
        `UPDATE events SET meta = replace(meta, '127.0.0.1', '127.0.0.2')
        WHERE position = (SELECT max(position) FROM events)`,
      )
      .run();
    database.close();
    const { http } = await open(folder);
    await expectFenced(http, /not the one that was here before/);
  });

  it('is no alarm while only the heads are torn or gone', async () => {
    const { folder } = await withBackup();
    const heads = join(folder, 'heads.log');
    writeFileSync(heads, `${readFileSync(heads, 'utf8').slice(0, -70)}\nnonsense\nhead torn`);
    const { server, http } = await open(folder);
    expect((await http.send('GET', '/health/ready')).status).toBe(200);
    await server.kill('SIGTERM');
    rmSync(heads);
    const again = await open(folder);
    expect((await again.http.send('GET', '/health/ready')).status).toBe(200);
  });
});
