// Where a request came from: the address that limits count by, and as much of it as may be written down.
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { SourceAddressPolicy } from '../http-config.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** As far as events and logs may tell it. */
    readonly sourceAddress: string | undefined;
  }
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS = 8;

export function tellSourceAddress(instance: FastifyInstance, policy: SourceAddressPolicy): void {
  const told = TOLD[policy];
  instance.decorateRequest('sourceAddress', {
    getter(this: FastifyRequest) {
      return told(addressOf(this));
    },
  });
}

/** Of the client itself; of a trusted proxy that hands on no address, the address of the proxy. */
export function addressOf({ ip, socket }: FastifyRequest): string {
  const address = ip ?? '';
  // What a proxy hands on may be anything; it becomes the name of a counter and part of an event.
  const known = isIP(address) === 0 ? (socket.remoteAddress ?? '') : address;
  return MAPPED.exec(known)?.[1] ?? known;
}

/** One subscriber has as many IPv6 addresses as there are in a /64, so all of them count as one. */
export function countedAs(address: string): string {
  return address.includes(':') ? networkOf(address, 4) : address;
}

const TOLD: Readonly<Record<SourceAddressPolicy, (address: string) => string | undefined>> = {
  keep: (address) => address,
  truncate: (address) => (address.includes(':') ? networkOf(address, 3) : address.replace(/\.\d+$/, '.0')),
  drop: () => undefined,
};

/** The first 16-bit groups of an IPv6 address, as an address whose other groups are zero. */
function networkOf(address: string, groups: number): string {
  const [written = ''] = address.split('%');
  const [head = '', tail] = written.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end stands for two groups.
  const missing = GROUPS - before.length - after.length - (written.includes('.') ? 1 : 0);
  const all = [...before, ...Array<string>(Math.max(0, missing)).fill('0'), ...after];
  const network = all.slice(0, groups).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::`;
}
