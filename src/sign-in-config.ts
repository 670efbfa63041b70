// What the operator may set of how people sign in: for how long, at which address, and through which identity
// provider. Read for src/config.ts, which knows the environment.
import { ROLES, type Role } from './domain/access.events.js';
import type { SettingsReader } from './http-config.js';

export interface SignInConfig {
  readonly sessionMs: number;
  /** After so long without a request a session is over. */
  readonly sessionIdleMs: number;
  /** The origin at which browsers see this server; undefined where it is only known from requests. */
  readonly publicOrigin: string | undefined;
  /** Whether a key opens a session. */
  readonly takesKeys: boolean;
  readonly oidc: OidcConfig | undefined;
}

export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where the provider sends people back to. */
  readonly publicOrigin: string;
  readonly scopes: string;
  /** How somebody has to have signed in there, one of these; empty where that is left to the provider. */
  readonly acrValues: readonly string[];
  readonly rules: readonly RoleRule[];
}

/** Whoever has a claim of this value is given these grants. Names are looked up at the sign-in. */
export interface RoleRule {
  readonly claim: string;
  readonly value: string;
  /** By slug; the workspace that came first unless given. */
  readonly workspace?: string;
  readonly grants: readonly RuleGrant[];
}

export interface RuleGrant {
  readonly role: Role;
  readonly projects?: readonly string[];
  readonly environments?: readonly string[];
}

const HOURS = [1, 24 * 30] as const;
const HOUR_MS = 3_600_000;
const OIDC_NAMES = ['ACR_VALUES', 'CLIENT_ID', 'CLIENT_SECRET', 'CLIENT_SECRET_FILE', 'ROLES', 'SCOPES'];
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export function readSignInConfig(reader: SettingsReader): SignInConfig {
  const publicOrigin = originIn(reader);
  return {
    sessionMs: reader.whole('SWITCHYARD_SESSION_HOURS', 12, HOURS) * HOUR_MS,
    sessionIdleMs: reader.whole('SWITCHYARD_SESSION_IDLE_MINUTES', 120, [1, 43_200]) * 60_000,
    publicOrigin,
    takesKeys: reader.oneOf('SWITCHYARD_KEY_SIGN_IN', ['on', 'off'], 'on') === 'on',
    oidc: oidcIn(reader, publicOrigin),
  };
}

/** Over plain HTTP nothing is secret but on the way to oneself. */
export function isLoopback(url: URL): boolean {
  return url.protocol === 'http:' && LOOPBACK.test(url.hostname);
}

function originIn(reader: SettingsReader): string | undefined {
  const text = reader.text('SWITCHYARD_PUBLIC_URL');
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  reader.problems.push('SWITCHYARD_PUBLIC_URL must be https:// or http:// and a host, and no path');
  return undefined;
}

function oidcIn(reader: SettingsReader, publicOrigin: string | undefined): OidcConfig | undefined {
  const issuer = reader.text('SWITCHYARD_OIDC_ISSUER');
  if (issuer === undefined) {
    const set = OIDC_NAMES.filter((name) => reader.text(`SWITCHYARD_OIDC_${name}`) !== undefined);
    for (const name of set)
      reader.problems.push(`SWITCHYARD_OIDC_${name} means nothing without SWITCHYARD_OIDC_ISSUER`);
    return undefined;
  }
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && !isLoopback(url)))
    reader.problems.push('SWITCHYARD_OIDC_ISSUER must begin with https://, or be an http:// of this machine');
  const config = {
    issuer,
    clientId: needed(reader, 'SWITCHYARD_OIDC_CLIENT_ID', reader.text('SWITCHYARD_OIDC_CLIENT_ID')),
    clientSecret: needed(
      reader,
      'SWITCHYARD_OIDC_CLIENT_SECRET',
      reader.secret('SWITCHYARD_OIDC_CLIENT_SECRET'),
    ),
    scopes: reader.text('SWITCHYARD_OIDC_SCOPES') ?? 'openid profile email',
    acrValues: reader.text('SWITCHYARD_OIDC_ACR_VALUES')?.trim().split(/\s+/) ?? [],
    rules: rulesIn(reader),
  };
  if (!config.scopes.split(' ').includes('openid'))
    reader.problems.push('SWITCHYARD_OIDC_SCOPES must have openid among its words');
  if (publicOrigin !== undefined) return { ...config, publicOrigin };
  if (reader.text('SWITCHYARD_PUBLIC_URL') === undefined) needed(reader, 'SWITCHYARD_PUBLIC_URL', undefined);
  return undefined;
}

function needed(reader: SettingsReader, name: string, value: string | undefined): string {
  if (value === undefined) reader.problems.push(`SWITCHYARD_OIDC_ISSUER needs ${name} beside it`);
  return value ?? '';
}

function rulesIn(reader: SettingsReader): RoleRule[] {
  const name = 'SWITCHYARD_OIDC_ROLES';
  const text = needed(reader, name, reader.text(name));
  if (text === '') return [];
  try {
    const rules: unknown = JSON.parse(text);
    const faults = Array.isArray(rules) ? rules.flatMap(faultsIn) : ['must be a list'];
    if (faults.length === 0) return rules as RoleRule[];
    for (const fault of faults) reader.problems.push(`${name} ${fault}`);
  } catch {
    reader.problems.push(`${name} must be JSON`);
  }
  return [];
}

const RULE_FIELDS = ['claim', 'value', 'workspace', 'grants'];
const GRANT_FIELDS = ['role', 'projects', 'environments'];

function faultsIn(rule: unknown, at: number): string[] {
  if (!isObject(rule)) return [`rule ${at + 1} must be an object`];
  const { claim, value, workspace, grants } = rule;
  const isGood =
    [claim, value].every((one) => typeof one === 'string' && one !== '') &&
    (workspace === undefined || typeof workspace === 'string') &&
    Object.keys(rule).every((field) => RULE_FIELDS.includes(field));
  if (!isGood) return [`rule ${at + 1} must have a claim, a value and grants, and may have a workspace`];
  if (Array.isArray(grants) && grants.length > 0 && grants.every(isGrant)) return [];
  return [`rule ${at + 1} must have grants: a role of ${ROLES.join(', ')}, projects and environments`];
}

function isGrant(grant: unknown): boolean {
  if (!isObject(grant)) return false;
  const { role, projects, environments } = grant;
  return (
    ROLES.some((known) => known === role) &&
    [projects, environments].every((places) => places === undefined || isListOfTexts(places)) &&
    Object.keys(grant).every((field) => GRANT_FIELDS.includes(field))
  );
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
