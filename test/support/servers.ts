// Servers on one log, of which one may be killed at any time, and clients that do not mind: a command that had no
// answer is sent again, with its key, to the next server. A log in SQLite takes one server alone.
import { setTimeout as pause } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { Http, type Answer } from './http.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from './server-process.js';

const SENT_AGAIN_MAX = 1_000;
const SEND_AGAIN_AFTER_MS = 40;

export class Servers {
  private readonly servers: ServerProcess[] = [];
  private readonly folders: ReturnType<typeof temporaryFolder>[];
  /** How often a server was killed, and how often a command was sent again. */
  kills = 0;
  sentAgain = 0;
  /** Codes of the answers after which a command was sent again. */
  readonly problems = new Set<string>();

  private constructor(
    private readonly address: string,
    count: number,
  ) {
    this.folders = Array.from({ length: count }, temporaryFolder);
  }

  static async start(address: string, count = 2): Promise<Servers> {
    const servers = new Servers(address, count);
    await Promise.all(servers.folders.map((_, number) => servers.up(number)));
    return servers;
  }

  /** Of any number: those that are there take turns. */
  http(server: number): Http {
    return new Http(this.servers[server % this.servers.length]?.url ?? '', ADMIN_KEY);
  }

  /** Kills one server and starts it again, another one each time. */
  async killNext(): Promise<void> {
    const victim = this.kills % this.servers.length;
    this.kills += 1;
    await this.servers[victim]?.kill('SIGKILL');
    await this.up(victim);
  }

  /** Until some server has said yes or no. What is unknown is asked again. */
  async command<Body>(
    first: number,
    send: (http: Http, headers: Record<string, string>) => Promise<Answer<Body>>,
  ): Promise<Answer<Body>> {
    const headers = { 'idempotency-key': uuidv7() };
    for (let turn = 0; turn < SENT_AGAIN_MAX; turn += 1) {
      try {
        const answer = await send(this.http(first + turn), headers);
        if (answer.status < 500) return answer;
        this.problems.add((answer.body as { code?: string }).code ?? answer.text);
      } catch {
        // The server was killed before it answered, or is not there yet.
      }
      this.sentAgain += 1;
      await pause(SEND_AGAIN_AFTER_MS);
    }
    throw new Error(`No server has answered ${SENT_AGAIN_MAX} times`);
  }

  /** A third server that knows nothing but the log. */
  async fresh<Result>(look: (http: Http) => Promise<Result>): Promise<Result> {
    const folder = temporaryFolder();
    const server = await ServerProcess.start(folder.path, { SWITCHYARD_EVENT_STORE: this.address });
    try {
      return await look(new Http(server.url, ADMIN_KEY));
    } finally {
      await server.kill('SIGTERM');
      folder.remove();
    }
  }

  get errors(): string {
    return this.servers.map(({ stderr }) => stderr).join('');
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill('SIGKILL')));
    for (const folder of this.folders) folder.remove();
  }

  private async up(number: number): Promise<void> {
    const folder = this.folders[number]?.path ?? '';
    this.servers[number] = await ServerProcess.start(folder, { SWITCHYARD_EVENT_STORE: this.address });
  }
}

/** Does something again and again, with pauses in between, for as long as the work takes. */
export async function disturbedBy<Result>(
  disturb: () => Promise<void>,
  pauseMs: () => number,
  work: Promise<Result>,
): Promise<Result> {
  let over = false;
  const ended = work.finally(() => (over = true));
  const disturbing = async (): Promise<void> => {
    for (;;) {
      await Promise.race([ended.catch(() => undefined), pause(pauseMs())]);
      if (over) return;
      await disturb();
    }
  };
  const [result] = await Promise.all([ended, disturbing()]);
  return result;
}
