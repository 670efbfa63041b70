// What the operator may set, read from the environment once, here and nowhere else.
// All that is wrong is named at once, one line each, so that a start fails one time and not five.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { readHttpConfig, type HttpConfig, type SettingsReader } from './http-config.js';
import { leadingOutInPlain, plainRefusal } from './plain-addresses.js';
import { readSignInConfig, type SignInConfig } from './sign-in-config.js';
import { readAddress, type EventStoreAddress } from './store-address.js';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** Where signed checkpoints are sent beside `heads.log`. An address may hold a secret. */
export type CheckpointSinkAddress =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'webhook'; readonly url: string };

/** How the log is proven. */
export interface RecordConfig {
  /** The name that stands in checkpoints and before their signatures. */
  readonly logName: string;
  /** Path of the Ed25519 key, in PEM; made at the first start. */
  readonly signingKey: string;
  /** Path of the file that remembers what was seen of the log. */
  readonly heads: string;
  readonly sink: CheckpointSinkAddress | undefined;
}

export interface Config {
  /** 0 takes any port that is free. */
  readonly port: number;
  readonly host: string;
  readonly dataFolder: string;
  readonly eventStore: EventStoreAddress;
  readonly adminKey: string | undefined;
  readonly record: RecordConfig;
  readonly logLevel: LogLevel;
  readonly http: HttpConfig;
  readonly signIn: SignInConfig;
  /** Whether traces are sent. Where to, and how, OpenTelemetry reads from its own variables. */
  readonly tracing: boolean;
  /** Names of the settings that lead to another machine without TLS, where that is allowed. */
  readonly plain: readonly string[];
}

export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

export function readConfig(environment: Environment = process.env): Config {
  const reader = new ConfigReader(environment);
  const dataFolder = resolve(reader.text('SWITCHYARD_DATA') ?? './data');
  const config = {
    port: reader.port(),
    host: reader.host(),
    dataFolder,
    eventStore: reader.eventStore(dataFolder),
    adminKey: reader.adminKey(),
    record: reader.record(dataFolder),
    logLevel: reader.logLevel(),
    http: readHttpConfig(reader),
    signIn: readSignInConfig(reader),
    tracing: reader.tracing(),
  };
  const plain = reader.plain(config);
  reader.refuseUnknownNames();
  if (reader.problems.length > 0) {
    throw new ConfigRefused(reader.problems);
  }
  return { ...config, plain };
}

const NAMES = new Set([
  'SWITCHYARD_ADMIN_KEY',
  'SWITCHYARD_ADMIN_KEY_FILE',
  'SWITCHYARD_CHECKPOINT_SINK',
  'SWITCHYARD_DATA',
  'SWITCHYARD_EVENT_STORE',
  'SWITCHYARD_EVENT_STORE_FILE',
  'SWITCHYARD_HEADS',
  'SWITCHYARD_HSTS_SUBDOMAINS',
  'SWITCHYARD_KEY_SIGN_IN',
  'SWITCHYARD_LOG_LEVEL',
  'SWITCHYARD_LOG_NAME',
  'SWITCHYARD_LOG_REQUESTS',
  'SWITCHYARD_MAX_CONNECTIONS',
  'SWITCHYARD_OIDC_ACR_VALUES',
  'SWITCHYARD_OIDC_CLIENT_ID',
  'SWITCHYARD_OIDC_CLIENT_SECRET',
  'SWITCHYARD_OIDC_CLIENT_SECRET_FILE',
  'SWITCHYARD_OIDC_ISSUER',
  'SWITCHYARD_OIDC_ROLES',
  'SWITCHYARD_OIDC_SCOPES',
  'SWITCHYARD_PLAIN_ADDRESSES',
  'SWITCHYARD_PUBLIC_URL',
  'SWITCHYARD_RATE_LIMIT_ADDRESS',
  'SWITCHYARD_RATE_LIMIT_KEY',
  'SWITCHYARD_RATE_LIMIT_UNAUTHORIZED',
  'SWITCHYARD_RATE_LIMIT_WORKSPACE',
  'SWITCHYARD_SESSION_HOURS',
  'SWITCHYARD_SESSION_IDLE_MINUTES',
  'SWITCHYARD_SIGNING_KEY',
  'SWITCHYARD_SOURCE_ADDRESS',
  'SWITCHYARD_TRUST_PROXY',
  // Read by the commands that talk to a server, and often set next to the others.
  'SWITCHYARD_KEY',
  'SWITCHYARD_TEST_ESDB',
  'SWITCHYARD_URL',
]);
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const LOG_NAME = /^[A-Za-z0-9._-]{1,100}$/;
const ADMIN_KEY = /^[\x21-\x7e]{32,256}$/;

/** Reads on after a bad value, with a stand-in for it: the problems decide in the end. */
class ConfigReader implements SettingsReader {
  readonly problems: string[] = [];

  constructor(private readonly environment: Environment) {}

  /** An empty value is a slip in a file of settings far more often than a wish for the default. */
  text(name: string): string | undefined {
    const value = this.environment[name];
    if (value !== undefined && value.trim() === '') {
      this.problems.push(`${name} is empty: give it a value or remove it`);
      return undefined;
    }
    return value;
  }

  /** Itself, or in a file that another setting names. Empty where that cannot be had, which is among the problems. */
  secret(name: string): string | undefined {
    const path = this.text(`${name}_FILE`);
    const value = this.text(name);
    if (path === undefined) return value;
    if (value !== undefined) this.problems.push(`${name} and ${name}_FILE are both set`);
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text === '') this.problems.push(`${name}_FILE: ${quoted(path)} is empty`);
      return text;
    } catch (error) {
      const { code: why = 'unknown' } = error as NodeJS.ErrnoException;
      this.problems.push(`${name}_FILE: ${quoted(path)} cannot be read (${why})`);
      return '';
    }
  }

  port(): number {
    const text = this.text('PORT') ?? '3000';
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
      this.problems.push(`PORT must be a whole number from 0 to 65535, not ${quoted(text)}`);
    }
    return Number(text);
  }

  host(): string {
    const text = this.text('HOST') ?? '127.0.0.1';
    if (isIP(text) === 0 && !HOST_NAME.test(text)) {
      this.problems.push(`HOST must be an IP address or a host name, not ${quoted(text)}`);
    }
    return text;
  }

  eventStore(dataFolder: string): EventStoreAddress {
    const address = readAddress(this.secret('SWITCHYARD_EVENT_STORE') || 'sqlite:', dataFolder);
    if (typeof address !== 'string') return address;
    this.problems.push(`SWITCHYARD_EVENT_STORE ${address}`);
    return { kind: 'sqlite', path: join(dataFolder, 'events.db') };
  }

  adminKey(): string | undefined {
    const key = this.secret('SWITCHYARD_ADMIN_KEY');
    if (key && !ADMIN_KEY.test(key)) {
      this.problems.push('SWITCHYARD_ADMIN_KEY must be 32 to 256 printable ASCII characters without spaces');
    }
    return key;
  }

  record(dataFolder: string): RecordConfig {
    const logName = this.text('SWITCHYARD_LOG_NAME') ?? 'switchyard';
    if (!LOG_NAME.test(logName)) {
      this.problems.push(
        `SWITCHYARD_LOG_NAME must be 1 to 100 letters, digits, dots, dashes and underscores, not ${quoted(logName)}`,
      );
    }
    const path = (name: string, usual: string) => resolve(this.text(name) ?? join(dataFolder, usual));
    return {
      logName,
      signingKey: path('SWITCHYARD_SIGNING_KEY', 'signing.key'),
      heads: path('SWITCHYARD_HEADS', 'heads.log'),
      sink: this.sink(),
    };
  }

  private sink(): CheckpointSinkAddress | undefined {
    const text = this.text('SWITCHYARD_CHECKPOINT_SINK');
    if (text === undefined) return undefined;
    const path = /^file:(.+)$/s.exec(text)?.[1];
    if (path !== undefined) return { kind: 'file', path: resolve(path) };
    if (isWebAddress(text)) return { kind: 'webhook', url: text };
    this.problems.push('SWITCHYARD_CHECKPOINT_SINK must be file:/path, or begin with https:// or http://');
    return undefined;
  }

  logLevel(): LogLevel {
    return this.oneOf('SWITCHYARD_LOG_LEVEL', LOG_LEVELS, 'info');
  }

  /** The names are those of OpenTelemetry, so that what is set for other programs holds here too. */
  tracing(): boolean {
    const { environment } = this;
    const isOff =
      environment['OTEL_SDK_DISABLED'] === 'true' || environment['OTEL_TRACES_EXPORTER'] === 'none';
    if (isOff) return false;
    const set = this.collectors();
    for (const name of set) {
      if (isWebAddress(environment[name] ?? '')) continue;
      this.problems.push(`${name} must begin with https:// or http://`);
    }
    return set.length > 0;
  }

  plain({
    eventStore,
    record: { sink },
    tracing,
  }: Pick<Config, 'eventStore' | 'record' | 'tracing'>): string[] {
    const [collector = ''] = tracing ? this.collectors() : [];
    const plain = leadingOutInPlain({
      SWITCHYARD_EVENT_STORE: 'url' in eventStore ? eventStore.url : undefined,
      SWITCHYARD_CHECKPOINT_SINK: sink && 'url' in sink ? sink.url : undefined,
      [collector]: this.environment[collector],
    });
    if (this.oneOf('SWITCHYARD_PLAIN_ADDRESSES', ['refuse', 'allow'], 'refuse') === 'allow') return plain;
    this.problems.push(...plain.map(plainRefusal));
    return [];
  }

  /** The names that are set; the first one counts. */
  private collectors(): string[] {
    const names = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
    return names.filter((name) => (this.environment[name] ?? '') !== '');
  }

  oneOf<Word extends string>(name: string, words: readonly Word[], usual: Word): Word {
    const text = this.text(name) ?? usual;
    const word = words.find((known) => known === text);
    if (word === undefined) {
      this.problems.push(`${name} must be one of ${words.join(', ')}, not ${quoted(text)}`);
    }
    return word ?? usual;
  }

  whole(name: string, usual: number, [min, max]: readonly [number, number]): number {
    const text = this.text(name) ?? String(usual);
    const isWhole = /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max;
    if (isWhole) return Number(text);
    this.problems.push(`${name} must be a whole number from ${min} to ${max}, not ${quoted(text)}`);
    return usual;
  }

  /** A name that is misspelt would otherwise be a setting that silently does not hold. */
  refuseUnknownNames(): void {
    for (const name of Object.keys(this.environment).sort()) {
      if (name.startsWith('SWITCHYARD_') && !NAMES.has(name)) {
        this.problems.push(`${quoted(name)} is not a setting of Switchyard`);
      }
    }
  }
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\/\S+$/.test(text) && URL.canParse(text);
}

/** On one line, whatever is in it. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
