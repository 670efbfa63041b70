// A program for tests: serves an empty log for a moment with the very code that main.ts runs, and prints as JSON
// which routes Fastify was given on the way.
import 'reflect-metadata';
import { subscribe } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { readConfig } from '../../src/config.js';
import { Engine } from '../../src/engine.js';
import { serve } from '../../src/server.js';

export interface Route {
  readonly method: string;
  readonly path: string;
}

const routes: Route[] = [];

// Fastify tells of every instance before anything can be registered on it.
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { readonly fastify: FastifyInstance };
  fastify.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) routes.push({ method: one, path: url });
  });
});

const config = readConfig(process.env);
const engine = await Engine.open(config);
const server = await serve(engine, config, pino({ level: 'silent' }));
await server.close();
await engine.close();
process.stdout.write(JSON.stringify(routes));
