// What a network does to a connection: a proxy that loses answers, cuts, or stays silent when a test says so.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type Fault = 'none' | 'lose-answer' | 'cut-after-request' | 'silence';

export class TcpProxy {
  /** What happens to a connection on which `victim` goes by, or in silence to all of them. */
  fault: Fault = 'none';
  /** What the client is told in place of an answer that is lost. */
  lastWords: Buffer = Buffer.alloc(0);
  /** How often a connection was cut. */
  cuts = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(targetPort: number, victim: string): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server, (server.address() as AddressInfo).port);
    server.on('connection', (client) => proxy.join(client, targetPort, victim));
    return proxy;
  }

  loseNextAnswer(): void {
    this.fault = 'lose-answer';
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket, targetPort: number, victim: string): void {
    const backend = connect(targetPort, '127.0.0.1');
    let losing = false;
    const cut = (): void => {
      this.cuts += 1;
      client.write(this.lastWords);
      client.destroySoon();
      // What was sent has to arrive, so that side is closed in good order.
      backend.end();
    };
    client.on('data', (bytes) => {
      if (this.fault === 'silence') return;
      const hit = this.fault !== 'none' && bytes.includes(victim);
      if (!hit) backend.write(bytes);
      else if (this.fault === 'lose-answer') losing = backend.write(bytes) || true;
      else backend.write(bytes, cut);
      if (hit) this.fault = 'none';
    });
    backend.on('data', (bytes) => {
      if (losing) cut();
      else if (this.fault !== 'silence') client.write(bytes);
    });
    for (const [socket, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
