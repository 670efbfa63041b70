// Follows the changes over very many connections in a process of its own, makes changes one after another, and says
// how long each took to be everywhere.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { HttpConnection, requestText, type Ask } from './http-connection.js';
import { answerOneTask } from './one-task.js';

export interface Following {
  readonly port: number;
  readonly key: string;
  readonly clients: number;
  readonly changes: number;
  /** Each of them makes one change, in turn. */
  readonly asks: readonly Ask[];
}

/** One for each change and client, in order of their size. */
export interface Arrivals {
  readonly sinceSentMs: readonly number[];
  /** 0 where the change was there before the answer. */
  readonly sinceAnsweredMs: readonly number[];
}

const RELEASE = Buffer.from('event: io.switchyard.release.made\n');
const HELLO = Buffer.from('event: hello\n');
const OPENED_AT_ONCE = 50;
const WARM_UP_CHANGES = 6;

answerOneTask(run);

async function run({ port, key, clients, changes, asks }: Following): Promise<Arrivals> {
  let arrived: (at: number) => void = () => undefined;
  const sockets: Socket[] = [];
  const open = async (): Promise<void> => {
    while (sockets.length < clients) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      sockets.push(socket);
      await once(socket, 'connect');
      const opened = new Promise<void>((resolve) => {
        socket.on('data', (chunk: Buffer) => {
          if (chunk.includes(RELEASE)) arrived(performance.now());
          else if (chunk.includes(HELLO)) resolve();
        });
      });
      socket.write(requestText({ method: 'GET', path: '/api/v1/events?type=io.switchyard.release' }, key));
      await opened;
    }
  };
  await Promise.all(Array.from({ length: OPENED_AT_ONCE }, open));

  const connection = await HttpConnection.open(port, key);
  const sinceSentMs: number[] = [];
  const sinceAnsweredMs: number[] = [];
  for (let change = -WARM_UP_CHANGES; change < changes; change += 1) {
    const times: number[] = [];
    const everywhere = new Promise<void>((resolve) => {
      arrived = (at) => {
        if (times.push(at) === clients) resolve();
      };
    });
    const sent = performance.now();
    const answer = await connection.ask(asks[(change + WARM_UP_CHANGES) % asks.length] as Ask);
    const answered = performance.now();
    if (!answer.body().startsWith('{"changed":true')) throw new Error(`No change: ${answer.body()}`);
    await everywhere;
    if (change < 0) continue;
    sinceSentMs.push(...times.map((at) => at - sent));
    sinceAnsweredMs.push(...times.map((at) => Math.max(0, at - answered)));
  }
  for (const socket of sockets) socket.destroy();
  connection.close();
  for (const list of [sinceSentMs, sinceAnsweredMs]) list.sort((a, b) => a - b);
  return { sinceSentMs, sinceAnsweredMs };
}
