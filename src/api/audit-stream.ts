// Whatever takes long to be taken out of the trail: page by page, to whoever may still ask for it.
import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** It breaks off where the key or the session works no more: the client sees that it is not whole. */
export function streamTo(request: FastifyRequest, pages: AsyncIterable<string>): Readable {
  return Readable.from(whileAdmitted(request, pages));
}

async function* whileAdmitted(request: FastifyRequest, pages: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const page of pages) {
    request.admitAgain?.();
    yield page;
  }
}
