// Starts the server: configuration, engine, HTTP. What goes wrong on the way is one line on stderr and an exit code:
// 78 for what the operator has to mend, 1 for anything else.
import 'reflect-metadata';
import { ConfigRefused, readConfig, type Config } from './config.js';
import { Engine } from './engine.js';
import { openLog } from './log.js';
import { serve } from './server.js';
import { StoreRefused } from './store/event-store.js';
import { greeting } from './greeting.js';

const EXIT_REFUSED = 78;
const STOP_MS_MAX = 10_000;

try {
  await start(readConfig(process.env));
} catch (error) {
  if (!(error instanceof ConfigRefused || error instanceof StoreRefused)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = EXIT_REFUSED;
}

async function start(config: Config): Promise<void> {
  const log = openLog(config);
  for (const setting of config.plain) log.warn({ setting }, 'another machine is reached without TLS');
  // Loaded only when it is wanted: a start without it neither waits nor pays for it.
  const tracing = config.tracing ? (await import('./tracing.js')).openTracing(log) : undefined;
  const engine = await Engine.open(config, log);
  if (engine.fence.reason !== undefined) log.error({ reason: engine.fence.reason }, 'the log is fenced');
  tracing?.traceEngine(engine);
  const server = await serve(engine, config, log, tracing).catch(async (error: unknown) => {
    await engine.close();
    throw asRefused(error, config);
  });
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
    await server.close();
    await engine.close();
    await tracing?.close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
  // Last of all: whoever reads it may send any signal.
  process.stdout.write(greeting(server.url, engine.newKey));
}

/** A port that is taken or forbidden is for the operator to mend; anything else is a fault of ours. */
function asRefused(error: unknown, { host, port }: Config): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reasons: Record<string, string> = {
    EADDRINUSE: 'the port is taken',
    EACCES: 'the port needs more rights than this user has',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'the host name is not known',
  };
  const reason = reasons[code];
  return reason === undefined ? error : new ConfigRefused([`Cannot listen on ${host}:${port}: ${reason}`]);
}
