// A program for tests: the real server, which cannot keep the answers of commands for as long as a file of this name
// lies in its data folder. What the commands did it keeps.
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { readConfig } from '../../src/config.js';
import { Engine } from '../../src/engine.js';
import { greeting } from '../../src/greeting.js';
import { serve } from '../../src/server.js';
import { StoreUnavailable } from '../../src/store/event-store.js';
import { LOSES_ANSWERS } from './server-process.js';

const config = readConfig(process.env);
const engine = await Engine.open(config);
const append = engine.store.append.bind(engine.store);
engine.store.append = async (stream, ...rest) => {
  const isLost = stream.startsWith('command-') && existsSync(join(config.dataFolder, LOSES_ANSWERS));
  if (isLost) throw new StoreUnavailable('The answer is lost');
  return append(stream, ...rest);
};
const server = await serve(engine, config, pino({ level: 'silent' }));
process.stdout.write(greeting(server.url, engine.newKey));
