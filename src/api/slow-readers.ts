// Cuts off whoever asks for a long answer and then hardly reads it: such a client would hold the answer in memory for
// as long as it likes. Node itself ends only connections on which nothing moves at all.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** In this time a client that has something to read has to take so much of it, or all that is left. */
const LOOK_MS = 60_000;
const BYTES_MIN = 65_536;

/** Where a connection stood when it was last looked at, and had something waiting. */
interface Look {
  readonly taken: number;
  readonly queued: number;
}

export function cutSlowReaders(server: Server, everyMs = LOOK_MS, bytesMin = BYTES_MIN): void {
  const looks = new Map<Socket, Look | undefined>();
  const looking = setInterval(() => {
    for (const [socket, before] of looks) {
      const now = lookAt(socket);
      if (before && now && movedBetween(before, now) < bytesMin) socket.destroy();
      looks.set(socket, now);
    }
  }, everyMs);
  looking.unref();
  server.on('connection', (socket: Socket) => {
    looks.set(socket, undefined);
    socket.once('close', () => looks.delete(socket));
  });
  server.once('close', () => clearInterval(looking));
}

function lookAt(socket: Socket): Look | undefined {
  if (socket.writableLength === 0) return undefined;
  return { taken: socket.bytesWritten - socket.writableLength, queued: queuedIn(socket) };
}

/** What was handed over in one piece, as most answers are, counts as taken only once all of it is on its way. */
function movedBetween(before: Look, now: Look): number {
  return now.taken - before.taken + Math.max(0, before.queued - now.queued);
}

/** Of the piece that is on its way. Node's own timeout looks at the same number, which has no public name. */
function queuedIn(socket: Socket): number {
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? 0;
}
