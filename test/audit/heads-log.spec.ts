// What is remembered of a log outside of it: read back whatever befell the file, never larger than it needs to be, and
// sent on to wherever the operator wants it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointText, originOf, SigningKey } from '../../src/audit/checkpoint.js';
import { CheckpointSink } from '../../src/audit/checkpoint-sink.js';
import { HeadsLog, signedCheckpoint, type SignedCheckpoint } from '../../src/audit/heads-log.js';
import { temporaryFolder } from '../support/server-process.js';
import { until } from '../support/spec.js';

const WORKSPACE = '0198c5a2-1000-7a01-8c11-4b7de2a90f01';
const key = SigningKey.generate('switchyard');
const origin = originOf({ name: 'switchyard', workspace: WORKSPACE, epoch: 1 });
const folder = temporaryFolder();
let files = 0;

afterAll(() => folder.remove());

function newFile(): string {
  files += 1;
  return join(folder.path, `${files}`, 'heads.log');
}

function signed(size: number): SignedCheckpoint {
  const note = key.sign(checkpointText({ origin, size, root: Buffer.alloc(32, size % 251) }));
  return signedCheckpoint(note) as SignedCheckpoint;
}

function headOf(size: number) {
  const leaf = Buffer.alloc(32, size % 251).toString('base64');
  return { workspace: WORKSPACE, origin, epoch: 1, size, position: BigInt(size) * 2n, leaf };
}

describe('heads.log', () => {
  it('gives back what was noted, the newest head and every checkpoint', () => {
    const path = newFile();
    const log = new HeadsLog(path);
    log.noteHead(headOf(1));
    log.noteSigned(signed(1));
    log.noteHead(headOf(3));
    log.noteSigned(signed(2));
    log.close();
    const again = new HeadsLog(path);
    expect(again.workspaces).toEqual([WORKSPACE]);
    expect(again.head(WORKSPACE)).toEqual(headOf(3));
    expect(again.signed(WORKSPACE)).toEqual([signed(1), signed(2)]);
    again.close();
  });

  it('loses no more than the line that was cut off, wherever the file ends', () => {
    const path = newFile();
    const log = new HeadsLog(path);
    for (const size of [1, 2, 3]) {
      log.noteSigned(signed(size));
      log.noteHead(headOf(size));
    }
    log.close();
    const bytes = readFileSync(path);
    const perSize = bytes.length / 3;
    for (let end = 0; end <= bytes.length; end += 1) {
      writeFileSync(path, bytes.subarray(0, end));
      const cut = new HeadsLog(path);
      expect(cut.signed(WORKSPACE).length).toBeGreaterThanOrEqual(Math.floor(end / perSize));
      expect(cut.head(WORKSPACE)?.size ?? 0).toBeGreaterThanOrEqual(Math.floor(end / perSize));
      cut.close();
    }
  });

  it('goes on after a line that was cut off, without spoiling the next one', () => {
    const path = newFile();
    const log = new HeadsLog(path);
    log.noteSigned(signed(1));
    log.close();
    writeFileSync(path, `${readFileSync(path, 'utf8')}head swi`);
    const next = new HeadsLog(path);
    next.noteHead(headOf(5));
    next.noteSigned(signed(5));
    next.close();
    const again = new HeadsLog(path);
    expect(again.head(WORKSPACE)).toEqual(headOf(5));
    expect(again.signed(WORKSPACE)).toEqual([signed(1), signed(5)]);
    again.close();
  });

  it('forgets every other old checkpoint when it grows large, and never the newest', () => {
    const path = newFile();
    const log = new HeadsLog(path);
    const head = headOf(9);
    for (let size = 1; size < 1_200; size += 1) log.noteSigned(signed(size));
    // Heads make a file large without telling more.
    for (let i = 0; i < 80_000; i += 1) log.noteHead(head);
    expect(statSync(path).size).toBeGreaterThan(8_000_000);
    log.noteSigned(signed(1_200));
    expect(statSync(path).size).toBeLessThan(1_000_000);
    const sizes = log.signed(WORKSPACE).map(({ checkpoint }) => checkpoint.size);
    expect(sizes.at(-1)).toBe(1_200);
    expect(sizes).toHaveLength(1_100);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    log.close();
    const again = new HeadsLog(path);
    expect(again.signed(WORKSPACE).map(({ checkpoint }) => checkpoint.size)).toEqual(sizes);
    expect(again.head(WORKSPACE)).toEqual(head);
    again.close();
  });
});

describe('A checkpoint that is sent elsewhere', () => {
  const warnings: object[] = [];
  const log = { warn: (fields: object) => void warnings.push(fields) };

  async function receiver(answers: readonly number[]) {
    const got: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const status = answers[Math.min(got.length, answers.length - 1)] ?? 200;
        got.push(body);
        response.writeHead(status, { location: 'http://127.0.0.1:9/' }).end('x');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/in?token=secret`;
    return { got, url, close: () => server.close() };
  }

  it('arrives as it was signed', async () => {
    const { got, url, close } = await receiver([204]);
    const sink = new CheckpointSink({ kind: 'webhook', url }, log);
    sink.send(WORKSPACE, signed(7).note);
    await until(() => got.length === 1);
    expect(got).toEqual([signed(7).note]);
    await sink.close();
    close();
  });

  it.each([500, 302])(
    'is not given up after status %d: the newest is sent again, and no warning names the address',
    async (status) => {
      const { got, url, close } = await receiver([status, 200]);
      const sink = new CheckpointSink({ kind: 'webhook', url }, log);
      warnings.length = 0;
      sink.send(WORKSPACE, signed(1).note);
      await until(() => warnings.length === 1);
      sink.send(WORKSPACE, signed(2).note);
      await sink.close();
      expect(got).toEqual([signed(1).note, signed(2).note]);
      expect(JSON.stringify(warnings)).not.toContain('secret');
      close();
    },
  );

  it('may go to a file on another disk, and a file that cannot be written stops nothing', async () => {
    const path = join(folder.path, 'notes.txt');
    const sink = new CheckpointSink({ kind: 'file', path }, log);
    sink.send(WORKSPACE, signed(1).note);
    await until(() => existsSync(path));
    await sink.close();
    expect(readFileSync(path, 'utf8')).toBe(`${signed(1).note}\n`);
    const nowhere = new CheckpointSink({ kind: 'file', path: join(path, 'no', 'folder') }, log);
    nowhere.send(WORKSPACE, signed(1).note);
    await nowhere.close();
  });
});
